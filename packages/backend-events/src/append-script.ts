import { defineScript } from '@skirmish/redis';

/**
 * Appends records to the stream of backend events, once per `doneKey`, and trims it by time and by count.
 * The key is set last: what fails before it may be repeated. Ids of entries are Redis's own; nothing but trimming depends on them.
 */
export const appendScript = defineScript<
  readonly [doneKey: string, doneTtlMs: number, retentionMs: number, entriesMax: number, ...typesAndRecords: string[]],
  'appended' | 'repeated'
>({
  name: 'append-backend-events',
  lua: `
local stream, doneKey = KEYS[1], ARGV[1]
if redis.call('EXISTS', doneKey) == 1 then return 0 end
local t = redis.call('TIME')
local minId = string.format('%.0f', math.max(t[1] * 1000 + math.floor(t[2] / 1000) - tonumber(ARGV[3]), 0))
for i = 5, #ARGV, 2 do
  redis.call('XADD', stream, 'MINID', '~', minId, '*', 'type', ARGV[i], 'record', ARGV[i + 1])
end
redis.call('XTRIM', stream, 'MAXLEN', '~', ARGV[4])
redis.call('SET', doneKey, '1', 'PX', ARGV[2])
return 1`,
  reply: (raw) => (raw === 1 ? 'appended' : 'repeated'),
});

/**
 * Lua that tells backends of a socket whose gateway cannot: `recordLost(gateway, socketId, entry, reason)`, with `entry` as `sockets-of` has it.
 * Expects the prefix of the realm's keys in `K`. Never fails the script that uses it; the stream is trimmed by those who write regularly.
 */
export const luaRecordLost = `
local function recordLost(gateway, socketId, entry, reason)
  if not entry.userId then return end
  local t = redis.call('TIME')
  redis.pcall('XADD', K .. 'backend-events', '*', 'type', 'user.disconnected', 'record', cjson.encode({
    v = 1, id = 'disconnected-' .. socketId, type = 'user.disconnected', atMs = t[1] * 1000 + math.floor(t[2] / 1000),
    realm = string.sub(K, 2, -3),
    data = {
      userId = entry.userId, characterId = entry.characterId ~= '' and entry.characterId or cjson.null, socketId = socketId,
      gateway = gateway, reason = reason } }))
end`;
