import { eventually, type ManagedProcess, services, startProcess, uniqueRealm } from '@skirmish/testing';
import { secret, type TestWorld } from './_gateway.ts';

export interface Measured {
  readonly liveBytes: number;
  readonly cpuMs: number;
  /** Of all clients together, since the last measurement. */
  readonly peakWaitingBytes: number;
  /** How long it stood still at the worst, since the last measurement. */
  readonly lateMs: number;
  readonly connections: number;
}

export interface GatewayProcess extends AsyncDisposable {
  readonly process: ManagedProcess;
  readonly realm: string;
  readonly url: string;
  readonly internalUrl: string;
  /** With `collect` (the default) after a collection, which costs CPU. */
  measure(collect?: boolean): Promise<Measured>;
}

/** A gateway as a process of its own that measures itself; `nodeArgs` are options of Node. */
export async function startGatewayProcess(world: TestWorld, env: Record<string, string> = {}, nodeArgs: readonly string[] = []): Promise<GatewayProcess> {
  const realm = uniqueRealm();
  let printed = '';
  const child = await startProcess({
    name: 'gateway',
    entry: new URL('./_measured-gateway.ts', import.meta.url),
    nodeArgs: ['--conditions=skirmish-source', '--expose-gc', ...nodeArgs],
    onOutput: (text) => { printed += text; },
    env: {
      NODE_ENV: 'development', LOG_LEVEL: 'warn', SOCKET_HOST: '127.0.0.1', SOCKET_PORT: '0', INTERNAL_PORT: '0', REDIS_URL: services().redisUrl,
      DATABASE_URL: world.databaseUrl, JWT_SECRET: secret, REALMS: realm, EPOCH_GRACE_MS: '100', EVENT_LOOP_DELAY_MAX_MS: '60000',
      ...env,
    },
  });
  const lines = (): string[] => printed.match(/(?<=^measured ).*(?=\n)/gm) ?? [];
  return {
    process: child,
    realm,
    url: `http://127.0.0.1:${child.ready.publicPort ?? 0}`,
    internalUrl: `http://127.0.0.1:${child.ready.internalPort ?? 0}`,
    measure: async (collect = true) => {
      const before = lines().length;
      child.send({ collect });
      return JSON.parse(await eventually(() => lines()[before] ?? '', { timeoutMs: 10_000, what: 'a measurement' })) as Measured;
    },
    [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
  };
}
