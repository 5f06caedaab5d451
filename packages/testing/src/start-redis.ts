import { accessSync, constants } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

import { eventually } from './eventually.ts';
import { freePort } from './free-port.ts';
import { startGuarded, type GuardedServer } from './guarded-server.ts';

export interface RedisOptions {
  /** Default: any free one. */
  port?: number;
  /** Default: a temporary one, removed by `stop`. */
  dataDir?: string;
  /** Append-only file, so that `kill` and `restart` keep the data. Default true. */
  appendOnly?: boolean;
  /** Further arguments of the server, for example `['--maxmemory', '10mb']`. */
  args?: readonly string[];
}

/** A real Redis on 127.0.0.1 that ends with this process. */
export interface RedisServer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly dataDir: string;
  /** The process id now; another one after `restart`. */
  readonly pid: number;
  isRunning(): boolean;
  /** Resolves when the present process has ended. */
  exited(): Promise<number | null>;
  output(): string;
  /** Freezes the process: connections stay open and nobody answers. */
  pause(): void;
  resume(): void;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
  /** Stops in order; a temporary data directory is removed. */
  stop(): Promise<void>;
  /** Stops where running, starts on the same port, with its data or empty. */
  restart(options?: { empty?: boolean }): Promise<void>;
}

/** Returns the path of `redis-server` or `valkey-server` on the PATH, or null. */
export function findRedis(): string | null {
  for (const name of ['redis-server', 'valkey-server']) {
    for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
      if (folder !== '' && isExecutable(join(folder, name))) return join(folder, name);
    }
  }
  return null;
}

/** Starts a Redis and resolves when it answers; rejects with its last words when it ends first. Needs the program on the PATH. */
export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'skirmish-redis-')));
  await mkdir(dataDir, { recursive: true });
  const triesMax = options.port === undefined ? 5 : 1;
  for (let tries = 1; ; tries += 1) {
    const port = options.port ?? (await freePort());
    try {
      const process = await launch(port, dataDir, options);
      return redisServer(process, port, dataDir, options);
    } catch (error) {
      if (tries >= triesMax || !String(error).includes('in use')) throw error;
    }
  }
}

function redisServer(first: GuardedServer, port: number, dataDir: string, options: RedisOptions): RedisServer {
  let current = first;
  const stop = async (): Promise<void> => {
    await current.stop();
    if (options.dataDir === undefined) await rm(dataDir, { recursive: true, force: true });
  };
  const kill = async (): Promise<void> => {
    current.signal('SIGKILL');
    await current.exited;
  };
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    dataDir,
    get pid() {
      return current.pid;
    },
    isRunning: () => current.isRunning(),
    exited: () => current.exited,
    output: () => current.output(),
    pause: () => {
      current.signalAll('SIGSTOP');
    },
    resume: () => {
      current.signalAll('SIGCONT');
    },
    kill,
    stop,
    restart: async ({ empty = false } = {}) => {
      await current.stop();
      if (empty) await rm(dataDir, { recursive: true, force: true });
      await mkdir(dataDir, { recursive: true });
      current = await launch(port, dataDir, options);
    },
    [Symbol.asyncDispose]: stop,
  };
}

async function launch(port: number, dataDir: string, options: RedisOptions): Promise<GuardedServer> {
  const command = findRedis();
  if (command === null) throw new Error('neither redis-server nor valkey-server is on the PATH');
  const appendOnly = options.appendOnly === false ? 'no' : 'yes';
  const settings = ['--port', String(port), '--bind', '127.0.0.1', '--daemonize', 'no', '--save', '', '--appendonly', appendOnly];
  const server = await startGuarded({
    command,
    args: [...settings, ...(options.args ?? [])],
    cwd: dataDir,
    stopSignal: 'SIGTERM',
  });
  try {
    await eventually(() => isGone(server) || answersPing(port), { timeoutMs: 30_000, what: `Redis on port ${port}` });
  } catch (error) {
    await server.stop(1_000);
    throw error;
  }
  if (isGone(server)) throw new Error(`Redis ended while starting: ${lastWords(server)}`);
  return server;
}

const isGone = (server: GuardedServer): boolean => !server.isRunning();

const lastWords = (server: GuardedServer): string => server.output().trim().split('\n').slice(-4).join(' | ');

/** A server that still loads its file answers LOADING and is asked again. */
function answersPing(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', timeout: 1_000 });
    const finish = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => socket.write('PING\r\n'));
    socket.once('data', (chunk) => {
      finish(chunk.toString().startsWith('+PONG'));
    });
    socket.once('error', () => {
      finish(false);
    });
    socket.once('timeout', () => {
      finish(false);
    });
  });
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
