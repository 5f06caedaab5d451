import { defineScript } from '@skirmish/redis';

/**
 * Takes the realm's one place for a broadcast to everybody: 0 when it is the caller's, else the milliseconds until it is free.
 * The same key may come again (a repetition costs nothing: the routing script answers it), also when its emission was made long ago.
 */
export const takeBroadcastScript = defineScript<readonly [limitKey: string, emittedKey: string, token: string, windowMs: number], number>({
  name: 'take-broadcast',
  lua: `
if redis.call('EXISTS', ARGV[2]) == 1 then return 0 end
local held = redis.call('GET', ARGV[1])
if held and held ~= ARGV[3] then return math.max(redis.call('PTTL', ARGV[1]), 1) end
if not held then redis.call('SET', ARGV[1], ARGV[3], 'PX', ARGV[4]) end
return 0`,
  reply: Number,
});

/** Deletes the records from which a user's sessions could be resumed, and answers how many there were. */
export const forgetSessionsScript = defineScript<readonly [prefix: string, sessionsOfKey: string], number>({
  name: 'forget-sessions',
  lua: `
local K = ARGV[1]
local forgotten = 0
for _, pid in ipairs(redis.call('SMEMBERS', ARGV[2])) do forgotten = forgotten + redis.call('UNLINK', K .. 'session:' .. pid) end
redis.call('UNLINK', ARGV[2])
return forgotten`,
  reply: Number,
});

/** Publishes an ephemeral event, once per key where there is one; false when it was published before. */
export const publishOnceScript = defineScript<readonly [channel: string, emittedKey: string, id: string, ttlMs: number, body: string], boolean>({
  name: 'publish-once',
  lua: `
if ARGV[2] ~= '' and not redis.call('SET', ARGV[2], ARGV[3], 'NX', 'PX', ARGV[4]) then return 0 end
redis.call('PUBLISH', ARGV[1], ARGV[5])
return 1`,
  reply: (raw) => raw === 1,
});
