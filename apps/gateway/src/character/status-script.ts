import { defineScript } from '@skirmish/redis';

/**
 * `done`: the status stands. `repeated`: it was set by this command before; `current` says whether nothing has come since. `differs`: the command id
 * was another payload's. `stale`: another socket has the seat of the character.
 */
export type StatusReply = { readonly outcome: 'done' | 'differs' | 'stale' } | { readonly outcome: 'repeated'; readonly current: boolean };

/**
 * Sets the status at the seat of a character, once per command, and remembers the command in the form in which lanes do.
 * Keys: the command's answer, the roster, the presence that may have changed. Everything that can refuse comes before the first write.
 */
export const statusScript = defineScript<
  readonly [hash: string, characterId: string, socketId: string, status: string, commandId: string, user: string, answerTtlMs: number],
  StatusReply
>({
  name: 'set-status',
  lua: `
local raw = redis.call('HGET', KEYS[2], ARGV[2])
local seat = raw and cjson.decode(raw)
local hash = redis.call('HGET', KEYS[1], 'hash')
if hash and hash ~= ARGV[1] then return { 'differs' } end
if hash then return { 'repeated', seat and seat.commandId == ARGV[5] and 1 or 0 } end
if not seat or seat.socketId ~= ARGV[3] then return { 'stale' } end
local t = redis.call('TIME')
local nowMs = string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000))
seat.status, seat.commandId = ARGV[4], ARGV[5]
redis.call('HSET', KEYS[2], ARGV[2], cjson.encode(seat))
redis.call('ZADD', KEYS[3], 'NX', nowMs, ARGV[6])
redis.call('HSET', KEYS[1], 'hash', ARGV[1], 'answer', '{}', 'position', nowMs)
redis.call('PEXPIRE', KEYS[1], ARGV[7])
return { 'done' }`,
  reply: (raw) => {
    const [outcome, current] = raw as [string, number?];
    if (outcome === 'repeated') return { outcome, current: current === 1 };
    if (outcome === 'done' || outcome === 'differs' || outcome === 'stale') return { outcome };
    throw new TypeError('set-status answered something unknown');
  },
});
