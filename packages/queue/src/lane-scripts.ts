import { defineScript } from '@skirmish/redis';

export type PushReply =
  | { outcome: 'pushed'; position: number; length: number }
  | { outcome: 'repeated'; position: number; answer: string }
  | { outcome: 'differs' }
  | { outcome: 'full' };

/**
 * Keys: lane, state, index, and the command's answer where there is one. Everything that can refuse or fail comes before the
 * first write. The position is the time in microseconds, or one more than the last one: it stays above every position of
 * the past also when Redis came back empty.
 */
export const pushScript = defineScript<
  [key: string, record: string, lengthMax: number, hash: string, answer: string, answerTtlMs: number],
  PushReply
>({
  name: 'lanePush',
  lua: `
    if KEYS[4] then
      local known = redis.call('HMGET', KEYS[4], 'hash', 'answer', 'position')
      if known[1] then
        if known[1] ~= ARGV[4] then return {'differs'} end
        return {'repeated', known[3], known[2]}
      end
    end
    local length = redis.call('LLEN', KEYS[1])
    if length >= tonumber(ARGV[3]) then return {'full'} end
    local last = tonumber(redis.call('HGET', KEYS[2], 'last') or '0')
    redis.call('ZCARD', KEYS[3])
    local time = redis.call('TIME')
    local position = tonumber(time[1]) * 1000000 + tonumber(time[2])
    if position <= last then position = last + 1 end
    local drawn = string.format('%.0f', position)
    local nowMs = string.format('%.0f', tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000))
    redis.call('RPUSH', KEYS[1], ARGV[2] .. ',"position":' .. drawn .. ',"pushedAtMs":' .. nowMs .. '}')
    redis.call('HSET', KEYS[2], 'last', drawn)
    redis.call('PERSIST', KEYS[2])
    redis.call('ZADD', KEYS[3], 'NX', nowMs, ARGV[1])
    if KEYS[4] then
      redis.call('HSET', KEYS[4], 'hash', ARGV[4], 'answer', ARGV[5], 'position', drawn)
      redis.call('PEXPIRE', KEYS[4], ARGV[6])
    end
    return {'pushed', drawn, length + 1}`,
  reply: (raw) => {
    const [outcome, position, more] = raw as [string, string, string | number];
    if (outcome === 'pushed') return { outcome, position: Number(position), length: Number(more) };
    if (outcome === 'repeated') return { outcome, position: Number(position), answer: String(more) };
    if (outcome === 'differs' || outcome === 'full') return { outcome };
    throw new TypeError('lanePush answered something unknown');
  },
});

export type NextReply = { outcome: 'head'; record: string; tries: number } | { outcome: 'empty' | 'more' | 'lost' };

/**
 * Keys: lane, state, index, dead list. Pops `finished` if it is still the head (else the lane belongs to another worker:
 * `lost`), writes `deadEntry` first when there is one, and hands out the next head with its try counted *before* the step.
 * `attempt` is fresh for every call, so a call that the connection sends twice neither pops twice nor counts twice.
 */
export const nextScript = defineScript<
  [key: string, finished: string, attempt: string, wanted: 0 | 1, deadEntry: string, deadMax: number, idleTtlMs: number],
  NextReply
>({
  name: 'laneNext',
  lua: `
    local head = redis.call('LINDEX', KEYS[1], 0)
    local mark = redis.call('HMGET', KEYS[2], 'attempt', 'tries')
    local again = mark[1] == ARGV[3]
    if ARGV[2] ~= '' and not again then
      if head ~= ARGV[2] then return {'lost'} end
      redis.call('ZCARD', KEYS[3])
      if ARGV[5] ~= '' then
        redis.call('LPUSH', KEYS[4], ARGV[5])
        redis.call('LTRIM', KEYS[4], 0, tonumber(ARGV[6]) - 1)
      end
      redis.call('LPOP', KEYS[1])
      redis.call('HDEL', KEYS[2], 'attempt', 'tries')
      local time = redis.call('TIME')
      redis.call('ZADD', KEYS[3], 'XX', string.format('%.0f', tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)), ARGV[1])
      head = redis.call('LINDEX', KEYS[1], 0)
    end
    if not head then
      redis.call('ZREM', KEYS[3], ARGV[1])
      redis.call('PEXPIRE', KEYS[2], ARGV[7])
      return {'empty'}
    end
    if ARGV[4] ~= '1' then return {'more'} end
    if again then return {'head', head, mark[2]} end
    redis.call('HSET', KEYS[2], 'attempt', ARGV[3])
    return {'head', head, redis.call('HINCRBY', KEYS[2], 'tries', 1)}`,
  reply: (raw) => {
    const [outcome, record, tries] = raw as [string, string, string | number];
    if (outcome === 'head') return { outcome, record, tries: Number(tries) };
    if (outcome === 'empty' || outcome === 'more' || outcome === 'lost') return { outcome };
    throw new TypeError('laneNext answered something unknown');
  },
});

/** Keys: state. Takes back the try that `attempt` counted; a second call changes nothing. */
export const refundScript = defineScript<[attempt: string], void>({
  name: 'laneRefund',
  lua: `
    if redis.call('HGET', KEYS[1], 'attempt') ~= ARGV[1] then return 0 end
    redis.call('HDEL', KEYS[1], 'attempt')
    redis.call('HINCRBY', KEYS[1], 'tries', -1)
    return 1`,
  reply: () => undefined,
});
