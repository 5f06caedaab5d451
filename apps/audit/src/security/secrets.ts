import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Check, looked } from '../check.ts';
import { allowedSecrets, type AllowedSecret } from './allowed-secrets.ts';
import { suspicionsIn } from './secret-shapes.ts';

const fileBytesMax = 4 * 1024 * 1024;

/** The paths that git tracks, as they are in the working tree. */
export function trackedFiles(root: string): string[] {
  const text = execFileSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
  return text.split('\0').filter((path) => path !== '');
}

/** What the list of allowed secrets calls a secret by, so that the list itself holds none. */
export const fingerprintOf = (secret: string): string => createHash('sha256').update(secret).digest('hex').slice(0, 12);

/** What looks like a secret in the tracked files and is not on the list; a line says where and what, and shows no more than its beginning. */
export function findSecrets(root: string, paths: readonly string[], allowed: readonly AllowedSecret[] = allowedSecrets): string[] {
  return paths.flatMap((path) => {
    const text = textOf(root, path);
    if (text === null) return [];
    return suspicionsIn(path, text)
      .filter(({ secret }) => !allowed.some(({ in: place, fingerprint }) => path.startsWith(place) && fingerprint === fingerprintOf(secret)))
      .map(({ kind, secret, at }) => `${path}:${text.slice(0, at).split('\n').length}: ${kind} "${secret.slice(0, 4)}…" (fingerprint ${fingerprintOf(secret)})`);
  });
}

/** Null for what is no text, and for what was deleted and is still tracked. */
function textOf(root: string, path: string): string | null {
  try {
    const bytes = readFileSync(join(root, path));
    return bytes.length > fileBytesMax || bytes.includes(0) ? null : bytes.toString('utf8');
  } catch {
    return null;
  }
}

export const secrets: Check = {
  name: 'secrets',
  question: 'does a tracked file hold a key, a token or a password?',
  run: async ({ root }) => {
    const paths = trackedFiles(root);
    const findings = findSecrets(root, paths);
    return looked(`${paths.length} tracked files; ${allowedSecrets.length} constants of tests are allowed`, findings.length === 0 ? paths.length : 0, findings);
  },
};
