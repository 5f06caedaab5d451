import { defineScript, luaDrawClock } from '@skirmish/redis';

/** What an entry of an inbox asks a gateway to do; the numbers are those of the Socket.IO cluster adapter. */
export const entryType = { broadcast: '3', join: '4', leave: '5', disconnect: '6' } as const;
export type EntryType = (typeof entryType)[keyof typeof entryType];

/** Why the script refused an emission; nothing was written then. */
export type RouteRefusal = 'epoch-missing' | 'epoch-young' | 'dead';

export type RouteReply =
  | { outcome: 'routed'; id: string; inboxes: number; gaps: number }
  | { outcome: 'repeated'; id: string }
  | { outcome: 'refused'; reason: RouteRefusal; retryAfterMs: number };

type RouteArguments = readonly [
  prefix: string,
  type: EntryType,
  namespace: string,
  data: string,
  emittedKey: string,
  emittedTtlMs: number,
  laneKey: string,
  laneSeq: number,
  logWindowMs: number,
  inboxRetentionMs: number,
  epochGraceMs: number,
  from: string,
  /** `rooms`: who the directory names; `everyone`; or one incarnation, whose id follows the colon. */
  scope: 'rooms' | 'everyone' | `only:${string}`,
  roomCount: number,
  ...roomsThenJoined: string[],
];

/**
 * Lua that emits: the only writer of inboxes and room logs, and the only user of the realm clock.
 * Needs `K` (key prefix), `nsp`, `from` (emitting incarnation or empty), `graceMs` and `inboxRetentionMs` before it.
 *
 * `routeRefusal()` answers what to return while nothing may be emitted, or nil; call it, and make every other check, before the first write.
 * `emit(kind, scope, data, rooms, joined, logMs)` then draws an id, appends under it to the logs of the rooms (critical events; joins and leaves
 * to a log of their own, `moves:`; none with `logMs` 0) and to the inbox of every incarnation that the directory names. It answers the id, the number of inboxes and that of
 * gaps: an inbox that cannot take the id is marked as gapped, its gateway heals by reconnecting its sockets. Several calls in one script get
 * growing ids.
 *
 * A join is entered in the directory here, in the same step, so that an emission that follows it finds the new members.
 * Inboxes are appended to with NOMKSTREAM: the inbox of a condemned incarnation does not come back to life.
 */
export const luaRoute = `
local function routeRefusal()
  local epoch = redis.call('GET', K .. 'epoch')
  if not epoch then return { 'refused', 'epoch-missing', '1000' } end
  local startMs = tonumber(string.match(epoch, ' (%d+)$') or '0')
  local now = redis.call('TIME')
  local ageMs = now[1] * 1000 + math.floor(now[2] / 1000) - startMs
  if ageMs < graceMs then return { 'refused', 'epoch-young', string.format('%.0f', graceMs - ageMs) } end
  if from ~= '' and redis.call('HEXISTS', K .. 'gateways', from) == 0 then return { 'refused', 'dead', '1000' } end
end
local function targetsOf(scope, rooms)
  local targets, seen = {}, {}
  local function add(incarnations)
    for _, incarnation in ipairs(incarnations) do
      if not seen[incarnation] then seen[incarnation] = true; targets[#targets + 1] = incarnation end
    end
  end
  local only = string.match(scope, '^only:(.+)$')
  if only then return { only } end
  if scope == 'everyone' then return redis.call('HKEYS', K .. 'gateways') end
  for _, room in ipairs(rooms) do add(redis.call('SMEMBERS', K .. 'room:' .. room)) end
  add(redis.call('SMEMBERS', K .. 'incomplete'))
  return targets
end
local function emit(kind, scope, data, rooms, joined, logMs)
  local targets, gaps = targetsOf(scope, rooms), 0
  ${luaDrawClock}
  local function lift(stream)
    gaps = gaps + 1
    local info = redis.call('XINFO', 'STREAM', stream)
    for i = 1, #info, 2 do
      if info[i] == 'last-generated-id' then
        local topMs, topSeq = string.match(info[i + 1], '^(%d+)-(%d+)$')
        if tonumber(topMs) > ms or (tonumber(topMs) == ms and tonumber(topSeq) > seq) then
          redis.call('HSET', K .. 'clock', 'ms', topMs, 'seq', topSeq)
          ms, seq = tonumber(topMs), tonumber(topSeq)
        end
      end
    end
  end
  if logMs > 0 then
    local minId = string.format('%.0f', math.max(nowMs - logMs, 0))
    local name = kind == '3' and 'log:' or 'moves:'
    for _, room in ipairs(rooms) do
      local log = K .. name .. room
      local done = redis.pcall('XADD', log, 'MINID', '~', minId, id, 'v', '1', 'type', kind, 'data', data)
      if type(done) == 'table' and done.err then
        lift(log)
        redis.call('HSET', K .. 'floors', room, id)
        -- Positions from before it may be shown for as long as a log keeps what comes after it, by a clock that may be ahead of the time.
        local leftMs = math.max(redis.call('PTTL', K .. 'floors'), ms - nowMs + logMs)
        redis.call('PEXPIRE', K .. 'floors', string.format('%.0f', leftMs))
      else
        redis.call('PEXPIRE', log, logMs)
      end
    end
  end
  local minId = string.format('%.0f', math.max(nowMs - inboxRetentionMs, 0))
  for _, incarnation in ipairs(targets) do
    local inbox = K .. 'inbox:' .. incarnation
    local done = redis.pcall('XADD', inbox, 'NOMKSTREAM', 'MINID', '~', minId, id,
      'v', '1', 'uid', 'emitter', 'nsp', nsp, 'type', kind, 'data', data)
    if type(done) == 'table' and done.err then
      lift(inbox)
      redis.call('SADD', K .. 'gapped', incarnation)
    elseif kind == '4' and done then
      for _, room in ipairs(joined) do
        redis.call('SADD', K .. 'room:' .. room, incarnation)
        redis.call('SADD', K .. 'rooms-of:' .. incarnation, room)
      end
    end
  end
  return id, #targets, gaps
end
`;

/** One emission: checks first, then `emit`, the idempotency key last, so that nothing can fail after the first write. A repeated one is answered with the id it got the first time. */
const lua = `
local K = ARGV[1]
local kind, nsp, data = ARGV[2], ARGV[3], ARGV[4]
local emittedKey, emittedTtlMs, laneKey, laneSeq = ARGV[5], ARGV[6], ARGV[7], tonumber(ARGV[8])
local logWindowMs, inboxRetentionMs, graceMs = tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11])
local from, scope, roomCount = ARGV[12], ARGV[13], tonumber(ARGV[14])
${luaRoute}
local refusal = routeRefusal()
if refusal then return refusal end
if emittedKey ~= '' then
  local before = redis.call('GET', emittedKey)
  if before then return { 'repeated', before } end
end
if laneKey ~= '' then
  local before = redis.call('HMGET', laneKey, 'seq', 'id')
  if before[1] and tonumber(before[1]) >= laneSeq then return { 'repeated', before[2] or '' } end
end
local rooms, joined = {}, {}
for i = 15, 14 + roomCount do rooms[#rooms + 1] = ARGV[i] end
for i = 15 + roomCount, #ARGV do joined[#joined + 1] = ARGV[i] end
local id, inboxes, gaps = emit(kind, scope, data, rooms, joined, logWindowMs)
if emittedKey ~= '' then redis.call('SET', emittedKey, id, 'PX', emittedTtlMs) end
if laneKey ~= '' then
  redis.call('HSET', laneKey, 'seq', laneSeq, 'id', id)
  redis.call('PEXPIRE', laneKey, 86400000)
end
return { 'routed', id, inboxes, gaps }
`;

export const routeScript = defineScript<RouteArguments, RouteReply>({ name: 'route', lua, reply: parseReply });

function parseReply(raw: unknown): RouteReply {
  const parts = Array.isArray(raw) ? (raw as unknown[]) : [];
  const [outcome, second, third, fourth] = parts;
  if (outcome === 'routed') return { outcome, id: String(second), inboxes: Number(third), gaps: Number(fourth) };
  if (outcome === 'repeated') return { outcome, id: String(second) };
  if (outcome === 'refused') return { outcome, reason: second as RouteRefusal, retryAfterMs: Number(third) };
  throw new Error('the routing script answered in an unknown form');
}
