import type { OwnParty } from './own-party.ts';
import type { Stay } from './session-script.ts';

export interface ConnectOperation {
  op: 'connect';
  socketId: string;
  rooms: string[];
  userId: string;
  userKey: string;
  device: string;
  connectedAtMs: number;
  /** Roster key, or empty. */
  zoneKey: string;
  characterId: string;
  /** Private id of a session that begins here; also for one that wanted to resume and may not. */
  pid: string;
  sessionsKey: string;
  resume: { pid: string; offset: string } | null;
}

/** One change to what Redis knows of this gateway's rooms, sockets and sessions. */
export type DirectoryOperation =
  | { op: 'add' | 'remove'; room: string }
  | ConnectOperation
  /** `resumable`: the client may come back; its session is kept for the window. */
  | { op: 'disconnect'; socketId: string; resumable: boolean }
  /** Rooms of a connection that is not complete. */
  | { op: 'enter'; socketId: string; rooms: string[] }
  /** A socket has joined or left a room at this position. */
  | { op: 'moved'; socketId: string; room: string; at: string; joined: boolean }
  /** Takes a place in a room for a socket, unless it has `max` users. */
  | { op: 'reserve'; socketId: string; room: string; max: number }
  /** Gives the session of a socket another private id, because its client begins anew at this position, in these rooms only. */
  | { op: 'renew'; socketId: string; pid: string; at: string; rooms: string[] }
  /** Prolongs sessions: private id and index key of each. */
  | { op: 'touch'; sessions: [pid: string, sessionsKey: string][] }
  /** Moves the seat of a socket's character to another roster with the status it has, or takes a fresh one with this status. */
  | { op: 'seat'; socketId: string; zoneKey: string; status: string };

/** What the script answers to a connect, beside the clock. */
export interface ConnectAnswer {
  readonly resume?: ResumeAnswer;
  readonly party?: OwnParty;
}

/** What became of a wish to resume. */
export type ResumeAnswer =
  | { resumed: false; reason: string }
  | {
      resumed: true;
      rooms: Record<string, Stay[]>;
      /** All ids that the session's sockets had, the present one last. */
      sockets: string[];
      connectedAtMs: number;
      /** The socket that continued the session until now. */
      before: { incarnation: string; socketId: string };
      /** Time of the Redis server, epoch milliseconds. */
      nowMs: number;
    };

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
  local seat = best and redis.call('HGET', entry.zoneKey, entry.characterId)
  if best and not (seat and cjson.decode(seat).socketId == best) then
    redis.call('HSET', entry.zoneKey, entry.characterId,
      cjson.encode({ v = 1, incarnation = bestRecord.gateway, socketId = best, status = 'online' }))
  end
end`;

/** Lua that takes a socket out of everything but its session; answers whether it held the seat of its character. Needs `luaPresence` and `luaPartyOf`. */
export const luaDepart = `
local function depart(gateway, socketId, entry)
  redis.call('HDEL', K .. 'sockets-of:' .. gateway, socketId)
  redis.call('HDEL', entry.userKey, socketId)
  presenceMoved(entry.userKey)
  if redis.call('EXISTS', entry.userKey) == 0 then
    -- The last one of its user: the party is due to be looked at.
    local party = partyIdOf(entry.userKey)
    if party then redis.call('ZADD', K .. 'parties', 'XX', 0, party) end
  end
  for _, room in ipairs(entry.rooms or {}) do redis.call('HDEL', K .. 'members:' .. room, socketId) end
  local seat = entry.zoneKey ~= '' and redis.call('HGET', entry.zoneKey, entry.characterId)
  if not seat or cjson.decode(seat).socketId ~= socketId then return false end
  redis.call('HDEL', entry.zoneKey, entry.characterId)
  return true
end`;

/** Lua with one function per operation, `ops[o.op](o)`; needs the variables of the directory script. */
export const luaOperations = `
local socketsKey, crowds, kept, answers = K .. 'sockets-of:' .. incarnation, {}, {}, {}
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
local function takeSeat(zoneKey, characterId, socketId, status)
  if zoneKey == '' then return end
  redis.call('HSET', zoneKey, characterId, cjson.encode({ v = 1, incarnation = incarnation, socketId = socketId, status = status }))
end
local function entryOf(socketId)
  local encoded = redis.call('HGET', socketsKey, socketId)
  return encoded and cjson.decode(encoded)
end
local function saveEntry(socketId, entry) redis.call('HSET', socketsKey, socketId, cjson.encode(entry)) end
local function answer(socketId, value)
  answers[#answers + 1] = socketId
  answers[#answers + 1] = cjson.encode(value)
end
local function becomeMember(entry, socketId, room)
  for _, known in ipairs(entry.rooms) do if known == room then return end end
  entry.rooms[#entry.rooms + 1] = room
  if isSocial(room) then presenceTouched(entry.userKey) end
  if string.sub(room, 1, 5) ~= 'user:' then
    redis.call('HSET', K .. 'members:' .. room, socketId, cjson.encode({ v = 1, userId = entry.userId, characterId = entry.characterId }))
  end
end
local function ceaseMember(entry, socketId, room)
  for i, known in ipairs(entry.rooms) do if known == room then table.remove(entry.rooms, i) break end end
  redis.call('HDEL', K .. 'members:' .. room, socketId)
  if isSocial(room) then presenceTouched(entry.userKey) end
end
local function ownSession(entry, socketId)
  local session = readSession(entry.pid)
  return session and session.socketId == socketId and session
end
local function takeOver(o, session, reason)
  if not session then return reason and { resumed = false, reason = reason } end
  local before = { incarnation = session.incarnation, socketId = session.socketId }
  -- The client sends a command again whose reply was cut off: then it has been done.
  if before.socketId ~= o.socketId then
    local old = redis.call('HGET', K .. 'sockets-of:' .. before.incarnation, before.socketId)
    if old then
      old = cjson.decode(old)
      depart(before.incarnation, before.socketId, old)
      -- Its gateway says the same when it can; one that died cannot, and nothing of it is left to sweep.
      recordLost(before.incarnation, before.socketId, old, 'lost')
    end
    -- Newer than what it continues, older than any session that began since.
    session.connectedAtMs = session.connectedAtMs + 1
    session.incarnation, session.socketId, session.asOf = incarnation, o.socketId, clockId
    session.sockets[#session.sockets + 1] = o.socketId
    if #session.sockets > 10 then table.remove(session.sockets, 1) end
  end
  return { resumed = true, before = before, sockets = session.sockets, connectedAtMs = session.connectedAtMs, nowMs = nowMs }
end
local ops = {}
function ops.add(o) add(o.room) end
function ops.remove(o)
  if joinUnread() then kept[#kept + 1] = o.room return end
  redis.call('SREM', K .. 'room:' .. o.room, incarnation)
  redis.call('SREM', K .. 'rooms-of:' .. incarnation, o.room)
end
function ops.connect(o)
  local wants, session, reason = type(o.resume) == 'table', nil, nil
  if wants then session, reason = resumable(o) end
  local told = takeOver(o, session, reason)
  local pid = session and o.resume.pid or o.pid
  session = session or { v = 1, userKey = o.userKey, incarnation = incarnation, socketId = o.socketId, sockets = { o.socketId },
    connectedAtMs = o.connectedAtMs, start = clockId, asOf = clockId, rooms = {} }
  for _, room in ipairs(o.rooms) do beginStay(session, room, clockId) end
  local party = partyOf(o.userKey, o.userId)
  if party then beginStay(session, 'party:' .. party.id, clockId) end
  local entry = { v = 1, userId = o.userId, userKey = o.userKey, zoneKey = o.zoneKey, characterId = o.characterId, pid = pid,
    sessionsKey = o.sessionsKey, rooms = {} }
  for _, room in ipairs(openRooms(session)) do add(room) becomeMember(entry, o.socketId, room) end
  saveEntry(o.socketId, entry)
  presenceMoved(o.userKey)
  redis.call('HSET', o.userKey, o.socketId, cjson.encode({ v = 1, gateway = incarnation, connectedAtMs = session.connectedAtMs, device = o.device }))
  if not (told and told.resumed) then takeSeat(o.zoneKey, o.characterId, o.socketId, 'online')
  elseif o.zoneKey ~= '' then passSeatOn(entry) end
  saveSession(pid, session)
  indexSession(o.sessionsKey, pid)
  if told and told.resumed then told.rooms = session.rooms end
  if told or party then answer(o.socketId, { resume = told or nil, party = party }) end
  if redis.call('HLEN', o.userKey) > socketsMax then
    crowds[#crowds + 1] = o.socketId
    crowds[#crowds + 1] = redis.call('HGETALL', o.userKey)
  end
end
function ops.disconnect(o)
  local entry = entryOf(o.socketId)
  if not entry then return end
  if depart(incarnation, o.socketId, entry) then passSeatOn(entry) end
  if not ownSession(entry, o.socketId) then return end
  if o.resumable then redis.call('PEXPIRE', K .. 'session:' .. entry.pid, windowMs) else dropSession(entry.sessionsKey, entry.pid) end
end
function ops.enter(o)
  for _, room in ipairs(o.rooms) do add(room) end
  local entry = entryOf(o.socketId)
  local session = entry and ownSession(entry, o.socketId)
  if not session then return end
  for _, room in ipairs(o.rooms) do
    beginStay(session, room, clockId)
    becomeMember(entry, o.socketId, room)
  end
  saveEntry(o.socketId, entry)
  saveSession(entry.pid, session)
end
function ops.moved(o)
  local entry = entryOf(o.socketId)
  if not entry then return end
  if o.joined then becomeMember(entry, o.socketId, o.room) else ceaseMember(entry, o.socketId, o.room) end
  saveEntry(o.socketId, entry)
  local session = ownSession(entry, o.socketId)
  if not session then return end
  if o.joined then beginStay(session, o.room, o.at) else endStay(session, o.room, o.at) end
  if isAfter(o.at, session.asOf) then session.asOf = o.at end
  boundStays(session)
  saveSession(entry.pid, session)
end
function ops.reserve(o)
  local entry = entryOf(o.socketId)
  local users, count = {}, 0
  for _, encoded in ipairs(redis.call('HVALS', K .. 'members:' .. o.room)) do
    local userId = cjson.decode(encoded).userId
    if not users[userId] then users[userId] = true count = count + 1 end
  end
  local free = entry and (users[entry.userId] or count < o.max) and true or false
  if free then
    becomeMember(entry, o.socketId, o.room)
    saveEntry(o.socketId, entry)
  end
  answer(o.socketId .. ' ' .. o.room, free)
end
function ops.renew(o)
  local entry = entryOf(o.socketId)
  local session = entry and ownSession(entry, o.socketId)
  if not session then return end
  local before = entry.rooms
  dropSession(entry.sessionsKey, entry.pid)
  entry.pid, entry.rooms, session.start, session.asOf, session.sockets, session.rooms = o.pid, {}, o.at, o.at, { o.socketId }, {}
  for _, room in ipairs(before) do redis.call('HDEL', K .. 'members:' .. room, o.socketId) end
  for _, room in ipairs(o.rooms) do
    beginStay(session, room, o.at)
    becomeMember(entry, o.socketId, room)
  end
  saveEntry(o.socketId, entry)
  presenceTouched(entry.userKey)
  saveSession(o.pid, session)
  indexSession(entry.sessionsKey, o.pid)
end
function ops.touch(o)
  for _, each in ipairs(o.sessions) do
    redis.call('PEXPIRE', K .. 'session:' .. each[1], sessionTtlMs)
    redis.call('PEXPIRE', each[2], sessionTtlMs)
  end
end
function ops.seat(o)
  local entry = entryOf(o.socketId)
  if not entry then return end
  local seat = entry.zoneKey ~= '' and redis.call('HGET', entry.zoneKey, entry.characterId)
  seat = seat and cjson.decode(seat)
  local held = seat and seat.socketId == o.socketId
  if held then redis.call('HDEL', entry.zoneKey, entry.characterId) end
  if held or entry.zoneKey ~= o.zoneKey then
    takeSeat(o.zoneKey, entry.characterId, o.socketId, held and seat.status or o.status)
    entry.zoneKey = o.zoneKey
    saveEntry(o.socketId, entry)
  end
end`;
