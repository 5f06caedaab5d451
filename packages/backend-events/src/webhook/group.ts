import { defineScript, type RealmKeys, type Redis } from '@skirmish/redis';

/** An event of the stream that this sender has to deliver; `tries` counts the attempt that comes next. */
export interface Assigned {
  readonly entryId: string;
  readonly record: string;
  readonly tries: number;
}

const group = 'webhooks';
/** Dead senders leave their name behind; a name that holds nothing and was not heard of for so long is removed. */
const forgetAfterMs = 3_600_000;
const releasedIdleMs = 86_400_000;
const claimedPerStep = 100;
const ownMax = 2_000;

/** Takes over what senders that were not heard of hold; answers where to go on, the entries with their count, and how many are no longer in the stream. */
const claimScript = defineScript<
  readonly [group: string, consumer: string, idleMs: number, cursor: string, count: number, forgetAfterMs: number],
  { cursor: string; entries: Assigned[]; trimmed: number }
>({
  name: 'claim-webhooks',
  lua: `
local stream, group, me = KEYS[1], ARGV[1], ARGV[2]
if ARGV[4] == '0-0' then
  for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', stream, group)) do
    local known = {}
    for i = 1, #consumer, 2 do known[consumer[i]] = consumer[i + 1] end
    if known.name ~= me and known.pending == 0 and known.idle > tonumber(ARGV[6]) then
      redis.call('XGROUP', 'DELCONSUMER', stream, group, known.name)
    end
  end
end
local found = redis.call('XAUTOCLAIM', stream, group, me, ARGV[3], ARGV[4], 'COUNT', ARGV[5])
local entries = {}
for _, entry in ipairs(found[2]) do
  local pending = redis.call('XPENDING', stream, group, entry[1], entry[1], 1)
  entries[#entries + 1] = { entry[1], entry[2], pending[1] and pending[1][4] or 1 }
end
return { found[1], entries, #found[3] }`,
  reply: (raw) => {
    const [cursor, entries, trimmed] = raw as [string, [string, string[], number][], number];
    return { cursor, trimmed, entries: entries.map(([entryId, fields, tries]) => ({ entryId, record: recordIn(fields), tries })) };
  },
});

/** Marks everything that this sender holds as heard of `idleMs` ago; answers the ids. What another has taken over is not touched. */
const keepScript = defineScript<readonly [group: string, consumer: string, idleMs: number, max: number], Set<string>>({
  name: 'keep-webhooks',
  lua: `
local stream, group, me = KEYS[1], ARGV[1], ARGV[2]
local ids = {}
for _, pending in ipairs(redis.call('XPENDING', stream, group, '-', '+', ARGV[4], me)) do ids[#ids + 1] = pending[1] end
for i = 1, #ids, 500 do
  local command = { 'XCLAIM', stream, group, me, '0' }
  for j = i, math.min(i + 499, #ids) do command[#command + 1] = ids[j] end
  for _, option in ipairs({ 'IDLE', ARGV[3], 'JUSTID' }) do command[#command + 1] = option end
  redis.call(unpack(command))
end
return ids`,
  reply: (raw) => new Set(raw as string[]),
});

/** Gives an entry up: remembered in the dead list, and done. */
const buryScript = defineScript<readonly [group: string, entryId: string, note: string, deadMax: number], void>({
  name: 'bury-webhook',
  lua: `
if redis.call('XACK', KEYS[1], ARGV[1], ARGV[2]) == 0 then return 0 end
redis.call('LPUSH', KEYS[2], ARGV[3])
redis.call('LTRIM', KEYS[2], 0, tonumber(ARGV[4]) - 1)
return 1`,
  reply: () => undefined,
});

/** The consumer group of all webhook senders of a realm. Every method rejects while Redis is away, and changes nothing then. */
export class WebhookGroup {
  readonly #redis: Redis;
  readonly #keys: RealmKeys;
  readonly #consumer: string;

  constructor(redis: Redis, keys: RealmKeys, consumer: string) {
    this.#redis = redis;
    this.#keys = keys;
    this.#consumer = consumer;
  }

  /** Makes the group unless it is there; `from` is `$` for what comes from now on, `0` for everything that the stream has. */
  async create(from: '$' | '0'): Promise<void> {
    await this.#redis.xgroup('CREATE', this.#keys.backendEvents, group, from, 'MKSTREAM').catch((error: unknown) => {
      if (!isReply(error, 'BUSYGROUP')) throw error;
    });
  }

  /** Takes up to `count` new events. After Redis lost its data the group is made anew, from the beginning of the new stream. */
  async take(count: number): Promise<Assigned[]> {
    const { backendEvents } = this.#keys;
    const reply = await this.#again(() => this.#redis.xreadgroup('GROUP', group, this.#consumer, 'COUNT', count, 'STREAMS', backendEvents, '>'));
    const [stream] = (reply ?? []) as [string, [string, string[]][]][];
    return (stream?.[1] ?? []).map(([entryId, fields]) => ({ entryId, record: recordIn(fields), tries: 1 }));
  }

  /** Takes over up to about `max` events of senders that were not heard of for `idleMs`. */
  async claim(idleMs: number, max: number): Promise<{ entries: Assigned[]; trimmed: number }> {
    const entries: Assigned[] = [];
    let trimmed = 0;
    let cursor = '0-0';
    do {
      const args = [group, this.#consumer, idleMs, cursor, claimedPerStep, forgetAfterMs] as const;
      const found = await this.#again(() => claimScript.run(this.#redis, [this.#keys.backendEvents], args));
      cursor = found.cursor;
      trimmed += found.trimmed;
      entries.push(...found.entries);
    } while (cursor !== '0-0' && entries.length < max);
    return { entries, trimmed };
  }

  /** Says that this sender lives; answers what it still holds. */
  keep(): Promise<Set<string>> {
    return this.#again(() => keepScript.run(this.#redis, [this.#keys.backendEvents], [group, this.#consumer, 0, ownMax]));
  }

  /** Leaves everything to the others, at once. */
  async release(): Promise<void> {
    await keepScript.run(this.#redis, [this.#keys.backendEvents], [group, this.#consumer, releasedIdleMs, ownMax]);
  }

  /** Remembers how often an entry has been tried, for whoever takes it over. */
  async failed(entryId: string, tries: number): Promise<void> {
    await this.#redis.xclaim(this.#keys.backendEvents, group, this.#consumer, 0, entryId, 'RETRYCOUNT', tries, 'JUSTID');
  }

  async done(entryId: string): Promise<void> {
    await this.#redis.xack(this.#keys.backendEvents, group, entryId);
  }

  async bury(entryId: string, note: object, deadMax: number): Promise<void> {
    await buryScript.run(this.#redis, [this.#keys.backendEvents, this.#keys.webhooksDead], [group, entryId, JSON.stringify(note), deadMax]);
  }

  /** The mark of the address that has answered 410, if any. */
  disabled(): Promise<string | null> {
    return this.#redis.get(this.#keys.webhooksDisabled);
  }

  async disable(mark: string): Promise<void> {
    await this.#redis.set(this.#keys.webhooksDisabled, mark);
  }

  async #again<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!isReply(error, 'NOGROUP') && !isReply(error, 'ERR no such key')) throw error;
      await this.create('0');
      return work();
    }
  }
}

const isReply = (error: unknown, word: string): boolean => error instanceof Error && error.message.includes(word);

const recordIn = (fields: readonly string[]): string => fields[fields.indexOf('record') + 1] ?? '';
