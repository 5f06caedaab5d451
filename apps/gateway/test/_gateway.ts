import { signToken } from '@skirmish/auth';
import { createDatabase, migrate, seedDevelopmentWorld } from '@skirmish/database';
import { createLogger } from '@skirmish/observability';
import type { Acknowledgement, ServerEventName } from '@skirmish/protocol';
import { createTestDatabase, eventually, services, uniqueRealm } from '@skirmish/testing';
import { io, type Socket } from 'socket.io-client';
import { config as definition, createGateway, type Gateway, type GatewayParts } from '../src/index.ts';

export const secret = 'a-secret-for-tests-that-is-long-enough-0123';

export interface TestWorld extends AsyncDisposable {
  readonly databaseUrl: string;
}

/** A database with the development world, to be shared by the gateways of one test file. */
export async function startWorld(players = 20): Promise<TestWorld> {
  const test = await createTestDatabase();
  await using database = createDatabase({ url: test.url, poolMax: 2 });
  const logger = createLogger({ name: 'test', level: 'silent' });
  await migrate(database, { logger });
  await seedDevelopmentWorld(database, { players });
  return { databaseUrl: test.url, [Symbol.asyncDispose]: () => test.drop() };
}

export interface TestGateway extends AsyncDisposable {
  readonly gateway: Gateway;
  readonly realm: string;
  readonly url: string;
  readonly internalUrl: string;
  /** Every line that was logged. */
  readonly logs: string[];
}

/** A gateway in this process on real Redis and Postgres; `env` overrides its configuration. */
export async function startGateway(world: TestWorld, env: Record<string, string> = {}, parts: GatewayParts = {}): Promise<TestGateway> {
  const realm = env['REALMS'] ?? uniqueRealm();
  const values = definition.parse({
    NODE_ENV: 'development',
    SOCKET_HOST: '127.0.0.1',
    SOCKET_PORT: '0',
    INTERNAL_PORT: '0',
    SOCKET_CORS_ORIGIN: 'https://game.example.com',
    REDIS_URL: services().redisUrl,
    DATABASE_URL: world.databaseUrl,
    DATABASE_POOL_MAX: '4',
    JWT_SECRET: secret,
    REALMS: realm,
    EPOCH_GRACE_MS: '100',
    RENEW_INTERVAL_MS: '300',
    READ_BLOCK_MS: '200',
    DRAIN_TIMEOUT_MS: '200',
    // The event loop of a test is the test's, and of a busy machine.
    EVENT_LOOP_DELAY_MAX_MS: '60000',
    ...env,
  });
  const logs: string[] = [];
  const logger = createLogger({ name: 'gateway', level: 'debug', destination: { write: (line) => void logs.push(line) } });
  const gateway = await createGateway(values, { logger, ...parts });
  return {
    gateway,
    realm,
    url: `http://127.0.0.1:${gateway.publicPort}`,
    internalUrl: `http://127.0.0.1:${gateway.internalPort}`,
    logs,
    [Symbol.asyncDispose]: () => gateway.stop('the test is over'),
  };
}

/** A token of the development world's user. */
export async function tokenFor(userId: string, more: Partial<Parameters<typeof signToken>[0]> = {}): Promise<string> {
  const { token } = await signToken({ secret, serviceAudience: 'skirmish-service', userId, ttlSeconds: 600, ...more });
  return token;
}

export interface Heard {
  readonly event: string;
  readonly args: readonly unknown[];
}

/** A plain Socket.IO client that remembers what it heard. */
export interface Client extends Disposable {
  readonly socket: Socket;
  readonly heard: Heard[];
  /** Sends with an acknowledgement; the answer, or a rejection after 10 s. */
  ask<T = Record<string, unknown>>(event: string, payload: unknown): Promise<Acknowledgement<T>>;
  /** The first payload of an event that fits, past or future. */
  hears<T = Record<string, unknown>>(event: ServerEventName, fits?: (payload: T) => boolean): Promise<T>;
  payloads<T = Record<string, unknown>>(event: ServerEventName): T[];
}

type ConnectOptions = Parameters<typeof io>[1];

/** A client that begins to connect; nothing has happened yet. */
export function clientOf(gateway: Pick<TestGateway, 'url' | 'realm'>, auth: object, options: ConnectOptions = {}): Client {
  const socket = io(`${gateway.url}/realm/${gateway.realm}`, { transports: ['websocket'], forceNew: true, reconnection: false, auth: { ...auth }, ...options });
  const heard: Heard[] = [];
  socket.onAny((event: string, ...args: unknown[]) => void heard.push({ event, args }));
  const payloads = <T>(event: string): T[] => heard.filter((each) => each.event === event).map(({ args }) => args[0] as T);
  return {
    socket,
    heard,
    payloads,
    ask: (event, payload) => socket.timeout(10_000).emitWithAck(event, payload) as Promise<never>,
    hears: <T>(event: string, fits: (payload: T) => boolean = () => true) =>
      eventually(
        () => {
          const found = payloads<T>(event).find(fits);
          if (found === undefined) throw new Error(`${event} was not heard`);
          return found;
        },
        { timeoutMs: 10_000, what: `${event} to be heard` },
      ),
    [Symbol.dispose]: () => { socket.disconnect(); },
  };
}

/** A client that is connected and welcomed. */
export async function join(gateway: Pick<TestGateway, 'url' | 'realm'>, userId: string, options: ConnectOptions = {}): Promise<Client> {
  const client = clientOf(gateway, { token: await tokenFor(userId) }, options);
  await connected(client);
  await client.hears('session:welcome');
  return client;
}

/** Resolves when the client is connected; rejects with the refusal. */
export function connected({ socket }: Client): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('connect_error', reject);
  });
}

/** The refusal of a connection that must not come about. */
export async function refusalOf(client: Client): Promise<{ message: string; data?: { code: string; message: string; retry: string } }> {
  return connected(client).then(
    () => { throw new Error('the connection was accepted'); },
    (error: unknown) => error as Error & { data?: { code: string; message: string; retry: string } },
  );
}
