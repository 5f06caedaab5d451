import { mkdtempSync, mkdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually, freePort, startProcess, type ManagedProcess } from '@skirmish/testing';
import { readClusterFile, type ClusterDescription, type ProcessRole } from '../src/cluster/cluster-file.ts';

/** A supervisor in a process of its own, as `npm start` would be. */
export interface StartedCluster {
  process: ManagedProcess;
  port: number;
  describe(): ClusterDescription;
  pidOf(role: ProcessRole): number;
}

/** A folder below one that others may not enter, with a space in its path. */
export function awkwardFolder(): { folder: string; remove: () => void } {
  const parent = mkdtempSync(join(tmpdir(), 'skirmish local '));
  const folder = join(parent, 'in here', '.local');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return { folder, remove: () => rmSync(parent, { recursive: true, force: true }) };
}

export async function startSupervisor(folder: string, flags: readonly string[], balancer: 'nginx' | 'own' = 'own', given?: number): Promise<StartedCluster> {
  const port = given ?? (await freePort());
  const process = await startProcess({
    name: 'supervisor',
    entry: new URL('./_supervisor.ts', import.meta.url),
    args: [folder, balancer, '--port', String(port), '--players', '20', ...flags],
    readyTimeoutMs: 60_000,
  });
  const describe = (): ClusterDescription => {
    const description = readClusterFile(folder);
    if (description === null) throw new Error('there is no cluster file');
    return description;
  };
  return {
    process,
    port,
    describe,
    pidOf: (role) => {
      const entry = describe().processes.find((candidate) => candidate.role === role);
      if (entry === undefined) throw new Error(`no ${role} runs`);
      return entry.pid;
    },
  };
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

export const allGone = (pids: readonly number[], timeoutMs: number): Promise<boolean> =>
  eventually(() => !pids.some(isAlive), { timeoutMs, what: `the end of the processes ${pids.join(', ')}` });
