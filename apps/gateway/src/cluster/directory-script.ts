import { defineScript, luaReadClock } from '@skirmish/redis';

/** One change to what Redis knows of this gateway's rooms and sockets. */
export type DirectoryOperation =
  | { op: 'add' | 'remove'; room: string }
  | {
      op: 'connect';
      socketId: string;
      rooms: string[];
      userKey: string;
      /** JSON for `user:<id>`: gateway, connectedAtMs, device. */
      record: string;
      /** Roster key, or empty. */
      zoneKey: string;
      characterId: string;
    }
  | { op: 'disconnect'; socketId: string }
  /** Rooms of a connection that is not complete. */
  | { op: 'enter'; rooms: string[] }
  /** Moves the seat of a socket's character to another roster, or keeps it and sets the status. */
  | { op: 'seat'; socketId: string; zoneKey: string; status: string };

export type DirectoryReply =
  | { state: 'dead' }
  /** `clock`: every emission routed later has a greater id. `crowds`: sockets of users who have more than `socketsMax`. `kept`: rooms not removed, because a join is unread. */
  | { state: 'ok'; clock: string; crowds: Map<string, string[]>; kept: Set<string> };

/** Lua that gives the seat of a socket that is gone to the newest other socket of the same character; `entry` is that of `sockets-of`. */
export const luaPassSeatOn = `
local function passSeatOn(entry)
  local best, bestRecord
  local others = redis.call('HGETALL', entry.userKey)
  for i = 1, #others, 2 do
    local ok, record = pcall(cjson.decode, others[i + 1])
    local other = ok and type(record.gateway) == 'string' and redis.call('HGET', K .. 'sockets-of:' .. record.gateway, others[i])
    local decoded = other and cjson.decode(other)
    if decoded and decoded.zoneKey == entry.zoneKey and decoded.characterId == entry.characterId
      and (not best or record.connectedAtMs > bestRecord.connectedAtMs) then best, bestRecord = others[i], record end
  end
  if best then
    redis.call('HSET', entry.zoneKey, entry.characterId,
      cjson.encode({ v = 1, incarnation = bestRecord.gateway, socketId = best, status = 'online' }))
  end
end`;

/**
 * Applies a batch of changes in one step. Values are absolute (an entry is there or not), so a batch whose outcome is unknown may be
 * sent again. The revision tells at the next renewal whether this data set has seen the batch.
 */
export const directoryScript = defineScript<
  readonly [prefix: string, incarnation: string, revision: number, socketsMax: number, operations: string, position: string],
  DirectoryReply
>({
  name: 'directory',
  lua: `
local K, incarnation, socketsMax = ARGV[1], ARGV[2], tonumber(ARGV[4])
if redis.call('HEXISTS', K .. 'gateways', incarnation) == 0 then return { 'dead' } end
if tonumber(redis.call('HGET', K .. 'revisions', incarnation) or '-1') > tonumber(ARGV[3]) then
  return redis.error_reply('ERR a newer batch was applied already')
end
${luaReadClock}
local socketsKey, crowds, kept = K .. 'sockets-of:' .. incarnation, {}, {}
${luaPassSeatOn}
-- An emission has entered rooms and the gateway has not met it yet: what it decided to remove may have a member now.
local unread
local function joinUnread()
  if unread == nil then
    local entries = redis.call('XRANGE', K .. 'inbox:' .. incarnation, '(' .. ARGV[6], '+', 'COUNT', 101)
    unread = #entries > 100
    for _, entry in ipairs(entries) do
      for i = 1, #entry[2], 2 do if entry[2][i] == 'type' and entry[2][i + 1] == '4' then unread = true end end
    end
  end
  return unread
end
local function add(room)
  redis.call('SADD', K .. 'room:' .. room, incarnation)
  redis.call('SADD', K .. 'rooms-of:' .. incarnation, room)
end
local function leaveSeat(zoneKey, characterId, socketId)
  if zoneKey == '' then return nil end
  local seat = redis.call('HGET', zoneKey, characterId)
  if not seat then return nil end
  local decoded = cjson.decode(seat)
  if decoded.socketId ~= socketId then return nil end
  redis.call('HDEL', zoneKey, characterId)
  return decoded
end
local function takeSeat(zoneKey, characterId, socketId, status)
  if zoneKey == '' then return end
  redis.call('HSET', zoneKey, characterId, cjson.encode({ v = 1, incarnation = incarnation, socketId = socketId, status = status }))
end
for _, o in ipairs(cjson.decode(ARGV[5])) do
  if o.op == 'add' then
    add(o.room)
  elseif o.op == 'remove' then
    if joinUnread() then kept[#kept + 1] = o.room
    else
      redis.call('SREM', K .. 'room:' .. o.room, incarnation)
      redis.call('SREM', K .. 'rooms-of:' .. incarnation, o.room)
    end
  elseif o.op == 'connect' then
    for _, room in ipairs(o.rooms) do add(room) end
    redis.call('HSET', socketsKey, o.socketId, cjson.encode({ v = 1, userKey = o.userKey, zoneKey = o.zoneKey, characterId = o.characterId }))
    redis.call('HSET', o.userKey, o.socketId, o.record)
    takeSeat(o.zoneKey, o.characterId, o.socketId, 'online')
    if redis.call('HLEN', o.userKey) > socketsMax then
      crowds[#crowds + 1] = o.socketId
      crowds[#crowds + 1] = redis.call('HGETALL', o.userKey)
    end
  elseif o.op == 'enter' then
    for _, room in ipairs(o.rooms) do add(room) end
  else
    local encoded = redis.call('HGET', socketsKey, o.socketId)
    if encoded then
      local entry = cjson.decode(encoded)
      local seat = leaveSeat(entry.zoneKey, entry.characterId, o.socketId)
      if o.op == 'disconnect' then
        redis.call('HDEL', socketsKey, o.socketId)
        redis.call('HDEL', entry.userKey, o.socketId)
        if seat then passSeatOn(entry) end
      elseif seat or entry.zoneKey ~= o.zoneKey then
        takeSeat(o.zoneKey, entry.characterId, o.socketId, o.status)
        entry.zoneKey = o.zoneKey
        redis.call('HSET', socketsKey, o.socketId, cjson.encode(entry))
      end
    end
  end
end
redis.call('HSET', K .. 'revisions', incarnation, ARGV[3])
return { 'ok', clockId, crowds, kept }`,
  reply: (raw) => {
    const [state, clock, crowds, kept] = raw as [string, string?, (string | string[])[]?, string[]?];
    if (state === 'dead') return { state };
    if (state !== 'ok') throw new Error('the directory answered in an unknown form');
    return { state, clock: clock ?? '0-0', crowds: parseCrowds(crowds ?? []), kept: new Set(kept) };
  },
});

function parseCrowds(flat: (string | string[])[]): Map<string, string[]> {
  const crowds = new Map<string, string[]>();
  for (let i = 0; i + 1 < flat.length; i += 2) crowds.set(String(flat[i]), flat[i + 1] as string[]);
  return crowds;
}
