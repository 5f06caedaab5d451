/**
 * Lua with `gcra(key, nowUs, intervalUs, burst)`, a token bucket in one number: takes one and answers 0, or takes nothing and answers the
 * whole milliseconds until one may be taken. `intervalUs` is the time in which one comes back, `burst` how many may be taken after a pause.
 *
 * The key holds the instant at which the bucket is full again, and expires then: a full bucket is no key at all. A clock that went back
 * makes nobody wait longer than an empty bucket takes to fill.
 */
export const luaGcra = `
local function gcra(key, nowUs, intervalUs, burst)
  local fullAtUs = tonumber(redis.call('GET', key) or '') or 0
  fullAtUs = math.min(math.max(fullAtUs, nowUs), nowUs + intervalUs * burst)
  local waitUs = fullAtUs - intervalUs * (burst - 1) - nowUs
  if waitUs >= 1 then return math.ceil(waitUs / 1000) end
  fullAtUs = fullAtUs + intervalUs
  redis.call('SET', key, string.format('%.0f', fullAtUs), 'PX', math.ceil((fullAtUs - nowUs) / 1000))
  return 0
end
`;

/** Lua that reads the clock of the server: afterwards `nowUs` is its time in microseconds. */
export const luaNowUs = `
local t = redis.call('TIME')
local nowUs = t[1] * 1000000 + t[2]
`;
