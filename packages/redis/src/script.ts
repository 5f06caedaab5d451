import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';

/** A Lua script with typed arguments; see {@link defineScript}. */
export interface Script<Arguments extends readonly (string | number)[], Reply> {
  readonly name: string;
  readonly lua: string;
  /** Runs the script. Rejects with the Redis error, or at once when the connection is not ready and has no offline queue. */
  run(this: void, redis: Redis, keys: readonly string[], args: Arguments): Promise<Reply>;
}

type Runner = (keyCount: number, ...rest: (string | number)[]) => Promise<unknown>;

/**
 * Declares a Lua script once; every connection sends its text with the first call and the SHA-1 afterwards, so calls on one
 * connection keep their order also right after a restart of Redis.
 *
 * @example
 * const ping = defineScript<[text: string], string>({ name: 'echo', lua: 'return ARGV[1]', reply: String });
 * await ping.run(redis, [keys.clock], ['hello']);
 */
export function defineScript<Arguments extends readonly (string | number)[], Reply>(definition: {
  name: string;
  lua: string;
  /** Turns the raw reply into the typed one; throws when the reply is not what the script promises. */
  reply: (raw: unknown) => Reply;
}): Script<Arguments, Reply> {
  const { name, lua, reply } = definition;
  const command = `${name}_${createHash('sha1').update(lua).digest('hex').slice(0, 8)}`;
  const runners = new WeakMap<Redis, Runner>();
  const runnerOf = (redis: Redis): Runner => {
    const known = runners.get(redis);
    if (known) return known;
    redis.defineCommand(command, { lua });
    const method = (redis as unknown as Record<string, Runner>)[command];
    if (!method) throw new Error(`script ${name} could not be defined`);
    const runner: Runner = method.bind(redis);
    runners.set(redis, runner);
    return runner;
  };
  return {
    name,
    lua,
    run: async (redis, keys, args) => reply(await runnerOf(redis)(keys.length, ...keys, ...args)),
  };
}
