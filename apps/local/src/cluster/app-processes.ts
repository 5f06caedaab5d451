import { join } from 'node:path';
import { freePort, startProcess, type ManagedProcess } from '@skirmish/testing';
import { repositoryRoot } from '../local-folder.ts';
import type { ProcessEntry } from './cluster-file.ts';
import { openLogFile } from './log-file.ts';
import { supervise, type Supervised } from './supervise.ts';

export type AppRole = 'gateway' | 'combat-worker' | 'moderation-worker';

/** One process of an app; its ports stay the same over its lives. */
export interface AppProcess extends Supervised<ManagedProcess> {
  readonly role: AppRole;
  readonly publicPort: number | null;
  /** What the cluster file says of it; null while it is down. */
  entry(): ProcessEntry | null;
}

export interface AppOptions {
  role: AppRole;
  /** Counted from 1 within its role. */
  number: number;
  /** Run the sources, not the build. */
  fromSource: boolean;
  folder: string;
  env: Readonly<Record<string, string>>;
  onChange: () => void;
  report: (line: string) => void;
}

const readyTimeoutMs = 60_000;

/** Starts a gateway or worker on ports of its own and keeps it running. */
export async function startApp(options: AppOptions): Promise<AppProcess> {
  const { role, number, onChange, report } = options;
  const name = `${role} ${number}`;
  const publicPort = role === 'gateway' ? await freePort() : null;
  const internalPort = await freePort();
  const log = openLogFile(options.folder, `${role}-${number}`);
  const supervised = await supervise<ManagedProcess>({
    name,
    onChange,
    report,
    launch: async (signal) => {
      const child = await startProcess({
        name,
        entry: join(repositoryRoot, 'apps', role, ...(options.fromSource ? ['src', 'main.ts'] : ['dist', 'main.js'])),
        nodeArgs: nodeArgumentsOf(role, options.fromSource),
        env: { ...options.env, ...(publicPort === null ? {} : { SOCKET_PORT: String(publicPort) }), INTERNAL_PORT: String(internalPort) },
        cwd: repositoryRoot,
        onOutput: (text) => log.write(text),
        readyTimeoutMs,
        signal,
      });
      child.onReady(onChange);
      return child;
    },
  });
  return {
    ...supervised,
    role,
    publicPort,
    entry: () => {
      const running = supervised.current();
      if (running === null) return null;
      return { role, id: running.ready.id, pid: running.pid, ...(publicPort === null ? {} : { publicPort }), internalPort };
    },
    stop: async (timeoutMs) => {
      await supervised.stop(timeoutMs);
      log.close();
    },
  };
}

/** A larger young generation: at many messages per second the default of 2026's V8 promotes buffers that are dead a moment later. */
function nodeArgumentsOf(role: AppRole, fromSource: boolean): string[] {
  return [...(role === 'gateway' ? ['--max-semi-space-size=16'] : []), ...(fromSource ? ['--conditions=skirmish-source'] : [])];
}
