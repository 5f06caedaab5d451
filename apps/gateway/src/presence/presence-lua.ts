/**
 * Lua that notes whose presence may be another than the announced one. Needs `K`, `nowMs`, and `goneAtMs`: since when a user counts as gone
 * whose last socket is taken out.
 *
 * Who comes or goes begins a grace of their own, and whoever comes back meanwhile begins another one, so that a short absence is nobody's news.
 * Everything else (rooms, status, a further socket) waits for a grace that has begun: a user who changes all the time is told of all the same.
 * The key of a user's sockets is `user:` with the escaped id, which stands for the user here.
 */
export const luaPresence = `
local function isSocial(room) return string.find(room, '^guild:') or string.find(room, '^party:') or string.find(room, '^zone:') end
local function presenceTouched(userKey)
  redis.call('ZADD', K .. 'presence-changed', 'NX', string.format('%.0f', nowMs), string.sub(userKey, #K + 6))
end
-- Before the first socket is in, or after the last one is out.
local function presenceMoved(userKey)
  if redis.call('EXISTS', userKey) == 1 then return presenceTouched(userKey) end
  redis.call('ZADD', K .. 'presence-changed', string.format('%.0f', goneAtMs), string.sub(userKey, #K + 6))
end`;

/**
 * Lua with `presenceOf(user)`: where a user is by the newest of its sockets, as `{ rooms, status }`, or nil when it has none. `rooms` are those that let
 * others know, separated by spaces. Needs `K` and `luaPresence`. What cannot be read counts as not there.
 */
export const luaPresenceOf = `
local function decoded(text)
  local ok, value = pcall(cjson.decode, text or '')
  return ok and type(value) == 'table' and value or nil
end
local function presenceOf(user)
  local sockets, newest, gateway, newestMs = redis.call('HGETALL', K .. 'user:' .. user), nil, nil, -1
  for i = 1, #sockets, 2 do
    local record = decoded(sockets[i + 1])
    if record and type(record.gateway) == 'string' and (tonumber(record.connectedAtMs) or 0) > newestMs then
      newest, gateway, newestMs = sockets[i], record.gateway, tonumber(record.connectedAtMs) or 0
    end
  end
  local entry = newest and decoded(redis.call('HGET', K .. 'sockets-of:' .. gateway, newest))
  if not entry then return nil end
  local rooms = {}
  for _, room in ipairs(type(entry.rooms) == 'table' and entry.rooms or {}) do
    if type(room) == 'string' and isSocial(room) then rooms[#rooms + 1] = room end
  end
  table.sort(rooms)
  local isSeated = type(entry.zoneKey) == 'string' and entry.zoneKey ~= '' and type(entry.characterId) == 'string'
  local seat = isSeated and decoded(redis.call('HGET', entry.zoneKey, entry.characterId))
  return { rooms = table.concat(rooms, ' '), status = seat and type(seat.status) == 'string' and seat.status or 'online' }
end
-- What was announced last of a user who was online then.
local function announcedOf(user)
  local record = decoded(redis.call('HGET', K .. 'presence-announced', user))
  return record and type(record.rooms) == 'string' and type(record.status) == 'string' and record or nil
end`;
