import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The root folder of the repository. */
export const repositoryRoot = fileURLToPath(new URL('../../../', import.meta.url));

/** Everything that a running cluster keeps on this machine; removed without harm while nothing runs. */
export const localFolder = join(repositoryRoot, '.local');

/** Secrets that this machine's cluster keeps from one start to the next, so that tokens and the database outlive a restart. */
export interface LocalSecrets {
  jwtSecret: string;
  postgresPassword: string;
}

/** Reads the secrets of a folder, and makes them the first time (readable by their owner only). */
export function localSecrets(folder: string): LocalSecrets {
  const file = join(folder, 'secrets.json');
  mkdirSync(folder, { recursive: true });
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as LocalSecrets;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const secrets = { jwtSecret: randomBytes(32).toString('hex'), postgresPassword: randomBytes(16).toString('hex') };
  writeAtomically(file, JSON.stringify(secrets), 0o600);
  return secrets;
}

/** Replaces a file in one step: a reader sees the old text or the new one, never a part. */
export function writeAtomically(file: string, text: string, mode = 0o644): void {
  const draft = `${file}.${process.pid}.draft`;
  writeFileSync(draft, text, { mode });
  renameSync(draft, file);
}
