/**
 * Lua that draws the next id of the realm clock: strictly increasing, from the time of the Redis server, never from what a
 * client says. `K` must hold the realm's key prefix; afterwards `nowMs` is the server's time, `id` the drawn id.
 *
 * The clock never goes back: when the server's time does, the last milliseconds are kept and the sequence counts on.
 */
export const luaDrawClock = `
local t = redis.call('TIME')
local nowMs = t[1] * 1000 + math.floor(t[2] / 1000)
local last = redis.call('HMGET', K .. 'clock', 'ms', 'seq')
local ms, seq, lastMs = nowMs, 0, tonumber(last[1] or '0')
if ms <= lastMs then ms = lastMs; seq = tonumber(last[2] or '0') + 1 end
local msText = string.format('%.0f', ms)
local id = msText .. '-' .. string.format('%.0f', seq)
redis.call('HSET', K .. 'clock', 'ms', msText, 'seq', string.format('%.0f', seq))
`;

/** Lua that reads the clock without drawing: afterwards `clockId` is the last id drawn, `0-0` when there is none. */
export const luaReadClock = `
local clock = redis.call('HMGET', K .. 'clock', 'ms', 'seq')
local clockId = (clock[1] or '0') .. '-' .. (clock[2] or '0')
`;
