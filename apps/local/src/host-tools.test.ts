import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ensureRedis, findProgram } from './host-tools.ts';

const path = process.env['PATH'] ?? '';
let folder = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'skirmish-tools-'));
});
afterEach(() => {
  process.env['PATH'] = path;
  rmSync(folder, { recursive: true, force: true });
});

function program(name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(file, `#!/bin/sh\n${text}\n`);
  chmodSync(file, 0o755);
  return file;
}

it('finds the first program of the names on the PATH, and nothing that cannot be run', () => {
  const second = program('skirmish-second', 'true');
  writeFileSync(join(folder, 'skirmish-first'), 'no program', { mode: 0o644 });
  process.env['PATH'] = [folder, path].join(delimiter);
  expect(findProgram(['skirmish-first', 'skirmish-second'])).toBe(second);
  expect(findProgram(['skirmish-first'])).toBeNull();
});

it('refuses a Redis that is too old in one sentence, and takes a new one', async () => {
  process.env['PATH'] = [folder, path].join(delimiter);
  const file = program('redis-server', 'echo "Redis server v=6.0.16 sha=00000000:0 malloc=jemalloc bits=64"');
  await expect(ensureRedis()).rejects.toThrow(`${file} is Redis 6, and 7 or newer is needed: install one (or give the address of one`);
  program('redis-server', 'echo "Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc bits=64"');
  expect(await ensureRedis()).toBe(file);
});
