import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually, freePort, startGuarded } from '@skirmish/testing';
import { repositoryRoot } from '../src/index.ts';

/** A real nginx with the configuration of `infra/nginx`: round robin per request, no affinity. */
export interface Nginx extends AsyncDisposable {
  readonly port: number;
  readonly url: string;
  /** The public ports of the gateways that take new requests from now on; resolves when they do. Open connections stay. */
  use(ports: readonly number[]): Promise<void>;
  stop(): Promise<void>;
}

// Debian keeps it in a folder that is not on the PATH of an ordinary user.
const path = `${process.env['PATH'] ?? ''}:/usr/local/sbin:/usr/sbin:/opt/homebrew/bin`;

/** Starts nginx on a free port in front of these gateways and resolves when it listens; its files live in a temporary folder. */
export async function startNginx(ports: readonly number[]): Promise<Nginx> {
  const folder = await mkdtemp(join(tmpdir(), 'skirmish-nginx-'));
  await mkdir(join(folder, 'temp'), { recursive: true });
  const port = await freePort();
  const template = await readFile(join(repositoryRoot, 'infra', 'nginx', 'nginx.conf.template'), 'utf8');
  let revision = 0;
  const configure = async (upstreams: readonly number[]): Promise<void> => {
    revision += 1;
    await writeFile(join(folder, 'nginx.conf'), withRevision(fill(template, port, upstreams), revision));
  };
  await configure(ports);
  const server = await startGuarded({
    command: 'nginx',
    args: ['-p', `${folder}/`, '-e', 'stderr', '-c', 'nginx.conf'],
    cwd: folder,
    env: { ...process.env, PATH: path },
    stopSignal: 'SIGTERM',
  });
  const stop = async (): Promise<void> => {
    await server.stop(2_000);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await eventually(() => !server.isRunning() || listens(port), { timeoutMs: 10_000, what: `nginx on port ${port}` });
    if (!server.isRunning()) throw new Error(`nginx ended while starting: ${server.output().trim().slice(-1_000)}`);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    use: async (upstreams) => {
      await configure(upstreams);
      server.signal('SIGHUP');
      const reloaded = async (): Promise<boolean> => (await (await fetch(`http://127.0.0.1:${port}/revision`)).text()) === String(revision);
      // A new worker takes the new connections; the old one answers until then.
      await eventually(reloaded, { timeoutMs: 10_000, what: 'the reload of nginx' });
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

function fill(template: string, port: number, upstreams: readonly number[]): string {
  const servers = upstreams.map((upstream) => `    server 127.0.0.1:${upstream} max_fails=1 fail_timeout=2s;`).join('\n');
  const values: Record<string, string> = { listen: `127.0.0.1:${port}`, servers, workers: '1', connections: '4096' };
  return template.replaceAll(/^(?!#)(.*)$/gm, (line) => line.replaceAll(/\$\{(\w+)\}/g, (_all, name: string) => values[name] ?? ''));
}

/** Lets the tests ask which configuration answers. */
function withRevision(configuration: string, revision: number): string {
  return configuration.replace('location / {', `location = /revision { return 200 '${revision}'; }\n    location / {`);
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('connect', () => { socket.destroy(); resolve(true); });
    socket.once('error', () => { resolve(false); });
  });
}
