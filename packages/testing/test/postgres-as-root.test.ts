import { chmodSync, cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { findPostgres, isUsable, unprivilegedWays } from '../src/postgres-binaries.ts';

const isRoot = process.getuid?.() === 0;

it.runIf(isRoot)('as root, Postgres runs below a folder that others cannot enter, also where user namespaces are closed', () => {
  const parent = mkdtempSync(join(tmpdir(), 'skirmish closed '));
  try {
    const native = join(parent, 'native');
    cpSync(dirname(dirname(findPostgres().initdb)), native, { recursive: true, verbatimSymlinks: true });
    chmodSync(parent, 0o700);
    const binaries = { initdb: join(native, 'bin', 'initdb'), postgres: join(native, 'bin', 'postgres') };
    const [namespace, rightToPass, plain] = unprivilegedWays().map((way) => isUsable(way, binaries, parent));
    // Containers close one or the other way; the plain one cannot enter the folder, which shows that the look means something.
    expect(namespace === true || rightToPass === true).toBe(true);
    expect(rightToPass).toBe(true);
    expect(plain).toBe(false);
  } finally {
    rmSync(parent, { recursive: true, force: true });
  }
});
