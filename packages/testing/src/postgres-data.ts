import { execFile } from 'node:child_process';
import { existsSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

import { eventually } from './eventually.ts';
import type { PostgresBinaries, Unprivileged } from './postgres-binaries.ts';
import { giveTo } from './postgres-binaries.ts';

const run = promisify(execFile);

/** Makes a data directory if there is none: complete under another name first, so that an interrupted start leaves no half of one. */
export async function prepareData(dataDir: string, binaries: PostgresBinaries, way: Unprivileged, password: string | null): Promise<void> {
  if (existsSync(join(dataDir, 'PG_VERSION'))) {
    await giveTo(dataDir, way.ownerId);
    await removeStaleLock(dataDir);
    return;
  }
  await rm(dataDir, { recursive: true, force: true });
  const draft = await mkdtemp(join(dirname(dataDir), 'postgres-draft-'));
  try {
    await giveTo(draft, way.ownerId);
    await initialise(join(draft, 'data'), binaries, way, password);
    await rename(join(draft, 'data'), dataDir);
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

async function initialise(dataDir: string, binaries: PostgresBinaries, way: Unprivileged, password: string | null): Promise<void> {
  const passwordFile = join(dirname(dataDir), 'password');
  if (password !== null) {
    await writeFile(passwordFile, password, { mode: 0o600 });
    await giveTo(passwordFile, way.ownerId);
  }
  const login = password === null ? ['--auth=trust'] : ['--auth=scram-sha-256', `--pwfile=${passwordFile}`];
  const locale = ['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'];
  const [command = '', ...args] = [...way.prefix, binaries.initdb, '-D', dataDir, '-U', 'postgres', '--no-sync', ...login, ...locale];
  try {
    await run(command, args, { cwd: '/', env: { ...process.env, LC_ALL: 'C', LC_MESSAGES: 'C' } });
  } catch (error) {
    const words = (error as { stderr?: string }).stderr?.trim().split('\n').slice(-3).join(' | ');
    throw new Error(`Postgres could not make its data directory: ${words ?? String(error)}`, { cause: error });
  }
}

/**
 * `postmaster.pid` of a server that was killed names a process id that may belong to anybody by now (in a container it soon does), and
 * Postgres would then refuse to start. A server that is still stopping is waited for.
 */
async function removeStaleLock(dataDir: string): Promise<void> {
  const lock = join(dataDir, 'postmaster.pid');
  if (!existsSync(lock)) return;
  const pid = Number.parseInt(readFileSync(lock, 'utf8'), 10);
  await eventually(() => !isPostmasterOf(pid, dataDir), { timeoutMs: 10_000, what: `the end of the Postgres (${pid}) that uses ${dataDir}` });
  await rm(lock, { force: true });
}

function isPostmasterOf(pid: number, dataDir: string): boolean {
  try {
    process.kill(pid, 0);
    // A postmaster's working directory is its data directory; on systems without /proc, alive is taken for the truth.
    return process.platform !== 'linux' || readlinkSync(`/proc/${pid}/cwd`) === realpathSync(dataDir);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM' && process.platform !== 'linux';
  }
}
