/** A stay in a room: realm-clock ids from after which and up to which its events belong to the session; the second is empty while it lasts. */
export type Stay = readonly [since: string, until: string];

/** Highest version of a session record that this code reads. */
export const sessionVersionMax = 2;

/** Sessions of one user that can be resumed, those that are connected among them: beyond it the one that has been away longest is forgotten. */
const sessionsPerUserMax = 20;

/** Stays that have ended in one record: beyond it only the newer half is kept, and no position from before that is resumed. */
const endedStaysMax = 200;

/**
 * Lua that keeps session records: who a session belongs to, which socket continues it, and its stays in rooms.
 * Needs `K`, `nowMs`, `clockId`, `sessionTtlMs`, `windowMs` and `retentionMs` before it.
 *
 * A record says what was true at `asOf`; joins and leaves that emissions made since are in the `moves:` streams of the rooms and are
 * folded in when somebody resumes, so nothing is lost with a gateway that dies between an emission and its own write. Only the socket
 * that a record names may write it.
 */
export const luaSessions = `
local keptFromMs = nowMs - retentionMs
local function splitId(id)
  local ms, seq = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(ms), tonumber(seq)
end
local function isAfter(a, b)
  local aMs, aSeq = splitId(a)
  local bMs, bSeq = splitId(b)
  return aMs > bMs or (aMs == bMs and aSeq > bSeq)
end
local function isOpen(session, room)
  local stays = session.rooms[room]
  return stays ~= nil and stays[#stays][2] == ''
end
local function beginStay(session, room, at)
  local stays = session.rooms[room] or {}
  if isOpen(session, room) or (#stays > 0 and stays[#stays][1] == at) then return false end
  session.rooms[room] = stays
  stays[#stays + 1] = { at, '' }
  return true
end
local function endStay(session, room, at)
  if not isOpen(session, room) then return end
  local stays = session.rooms[room]
  stays[#stays][2] = at
end
local function openRooms(session)
  local rooms = {}
  for room in pairs(session.rooms) do if isOpen(session, room) then rooms[#rooms + 1] = room end end
  return rooms
end
local function readSession(pid)
  local raw = pid and redis.call('GET', K .. 'session:' .. pid)
  if not raw then return nil end
  local ok, session = pcall(cjson.decode, raw)
  if not ok or type(session) ~= 'table' or (session.v or 0) > ${sessionVersionMax} then return nil end
  return session
end
local function saveSession(pid, session)
  -- Stays that ended before anything that is kept are nobody's business any more.
  for room, stays in pairs(session.rooms) do
    while #stays > 0 and stays[1][2] ~= '' and splitId(stays[1][2]) < keptFromMs do table.remove(stays, 1) end
    if #stays == 0 then session.rooms[room] = nil end
  end
  redis.call('SET', K .. 'session:' .. pid, cjson.encode(session), 'PX', sessionTtlMs)
end
local function dropSession(sessionsKey, pid)
  redis.call('DEL', K .. 'session:' .. pid)
  redis.call('SREM', sessionsKey, pid)
end
-- Whether the socket that continues a session is still registered; what this version cannot read is left to the others, and to its time.
local function mayBeLive(pid)
  local session = readSession(pid)
  return session == nil or redis.call('HEXISTS', session.userKey, session.socketId) == 1
end
local function forgetOneSession(sessionsKey, newest)
  local others = {}
  for _, pid in ipairs(redis.call('SMEMBERS', sessionsKey)) do
    local leftMs = redis.call('PTTL', K .. 'session:' .. pid)
    if leftMs == -2 then redis.call('SREM', sessionsKey, pid)
    elseif pid ~= newest then others[#others + 1] = { pid = pid, leftMs = leftMs } end
  end
  if redis.call('SCARD', sessionsKey) <= ${sessionsPerUserMax} then return end
  -- The longer one is away the less time it has left.
  table.sort(others, function(a, b) return a.leftMs < b.leftMs end)
  for _, other in ipairs(others) do
    if not mayBeLive(other.pid) then dropSession(sessionsKey, other.pid) return end
  end
end
local function indexSession(sessionsKey, pid)
  redis.call('SADD', sessionsKey, pid)
  if redis.call('SCARD', sessionsKey) > ${sessionsPerUserMax} then forgetOneSession(sessionsKey, pid) end
  redis.call('PEXPIRE', sessionsKey, sessionTtlMs)
end
-- Forgets the older of too many stays that have ended. Whoever comes back with a position from before one of them could miss something of it, so none may.
local function boundStays(session)
  local ends = {}
  for _, stays in pairs(session.rooms) do
    for _, stay in ipairs(stays) do if stay[2] ~= '' then ends[#ends + 1] = stay[2] end end
  end
  if #ends <= ${endedStaysMax} then return end
  table.sort(ends, function(a, b) return isAfter(b, a) end)
  session.start = ends[#ends - ${endedStaysMax / 2}]
  for room, stays in pairs(session.rooms) do
    while #stays > 0 and stays[1][2] ~= '' and not isAfter(stays[1][2], session.start) do table.remove(stays, 1) end
    if #stays == 0 then session.rooms[room] = nil end
  end
end
local function isOne(session, name)
  if isOpen(session, name) then return true end
  for _, socketId in ipairs(session.sockets) do if socketId == name then return true end end
  return false
end
local function isMeant(session, opts)
  for _, name in ipairs(opts.except) do if isOne(session, name) then return false end end
  for _, name in ipairs(opts.rooms) do if isOne(session, name) then return true end end
  return false
end
-- Joins and leaves since asOf, in their order; false when there are too many to follow.
local function foldMoves(session)
  local moves, met, complete, done = {}, {}, true, 0
  -- Into its place among those that are left: to sort them all anew for each would take Redis half a second for 500.
  local function insert(move)
    local low, high = done + 1, #moves + 1
    while low < high do
      local middle = math.floor((low + high) / 2)
      local other = moves[middle]
      if other.ms < move.ms or (other.ms == move.ms and other.seq < move.seq) then low = middle + 1 else high = middle end
    end
    table.insert(moves, low, move)
  end
  local function read(room, from)
    -- Inclusive: of one move into several rooms a dying gateway may have written a part. What is there already changes nothing.
    local entries = redis.call('XRANGE', K .. 'moves:' .. room, from, '+', 'COUNT', 500)
    if #entries == 500 then complete = false end
    for _, entry in ipairs(entries) do
      if not met[entry[1]] then
        met[entry[1]] = true
        local ms, seq = splitId(entry[1])
        local move = { id = entry[1], ms = ms, seq = seq }
        for i = 1, #entry[2], 2 do move[entry[2][i]] = entry[2][i + 1] end
        insert(move)
      end
    end
  end
  for _, room in ipairs(openRooms(session)) do read(room, session.asOf) end
  while moves[done + 1] and complete do
    done = done + 1
    local move = moves[done]
    local data = cjson.decode(move.data)
    if isMeant(session, data.opts) then
      for _, room in ipairs(data.rooms) do
        if move.type == '5' then endStay(session, room, move.id)
        elseif beginStay(session, room, move.id) then read(room, move.id) end
      end
    end
  end
  return complete
end
local function fellThrough(session, offset)
  for room, stays in pairs(session.rooms) do
    local floor = redis.call('HGET', K .. 'floors', room)
    if floor and isAfter(floor, offset) then
      for _, stay in ipairs(stays) do
        if isAfter(floor, stay[1]) and (stay[2] == '' or isAfter(stay[2], floor)) then return true end
      end
    end
  end
  return false
end
-- The session that a client wants to continue, brought up to date; or nil and why not. Writes nothing.
local function resumable(o)
  local session, offset = readSession(o.resume.pid), o.resume.offset
  -- Records end with the window; a position from before it says why there is none.
  if not session then return nil, splitId(offset) < nowMs - windowMs and not isAfter(offset, clockId) and 'window' or 'unknown' end
  if session.userKey ~= o.userKey then return nil, 'foreign' end
  if isAfter(offset, clockId) or isAfter(session.start, offset) then return nil, 'position' end
  if splitId(offset) < keptFromMs then return nil, 'window' end
  local epoch = redis.call('GET', K .. 'epoch')
  if not epoch or splitId(offset) < tonumber(string.match(epoch, ' (%d+)$') or '0') then return nil, 'epoch' end
  local ok, complete = pcall(foldMoves, session)
  if not ok then return nil, 'unreadable' end
  if not complete then return nil, 'moves' end
  if fellThrough(session, offset) then return nil, 'floor' end
  return session
end
`;
