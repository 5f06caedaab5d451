import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { MigrationError, remainingMigrations } from './migrate.ts';
import { migrations } from './migrations/index.ts';
import type { Migration } from './migrations/migration.ts';

const folder = new URL('./migrations/', import.meta.url);
const named = (...names: string[]): Migration[] => names.map((name) => ({ name, up: async () => undefined }));
const remainingNames = (known: string[], applied: string[]): string[] => remainingMigrations(named(...known), applied).map(({ name }) => name);

describe('what remains to run', () => {
  it('is everything on a new database and the rest on an older one', () => {
    expect(remainingNames(['0001-a', '0002-b'], [])).toEqual(['0001-a', '0002-b']);
    expect(remainingNames(['0001-a', '0002-b'], ['0001-a'])).toEqual(['0002-b']);
    expect(remainingNames(['0001-a'], ['0001-a'])).toEqual([]);
    expect(remainingNames([], [])).toEqual([]);
  });

  it('is nothing on a database that a newer release has migrated', () => {
    expect(remainingNames(['0001-a'], ['0001-a', '0002-b'])).toEqual([]);
  });

  it('is refused when the database ran something in between that this release does not know', () => {
    expect(() => remainingNames(['0001-a', '0003-c'], ['0001-a', '0002-b'])).toThrow(MigrationError);
  });

  it('is refused when an earlier one is missing and a later one has run', () => {
    expect(() => remainingNames(['0001-a', '0002-b'], ['0002-b'])).toThrow('0001-a is missing, but 0002-b has run already');
    expect(() => remainingNames(['0001-a', '0002-b'], ['0001-a', '0003-c'])).toThrow('0002-b is missing, but 0003-c has run already');
  });
});

describe('released migrations', () => {
  const files = readdirSync(folder)
    .filter((file) => /^\d/.test(file))
    .sort();

  it('are all listed, in the order of their numbers, without a gap', () => {
    expect(migrations.map(({ name }) => `${name}.ts`)).toEqual(files);
    expect(files.map((file) => Number(file.slice(0, 4)))).toEqual(files.map((_, index) => index + 1));
    expect(files.every((file) => /^\d{4}(?:-[a-z0-9]+)+\.ts$/.test(file))).toBe(true);
  });

  it('are never edited: their checksums stand in checksums.json, a new one adds its line', () => {
    const checksums = Object.fromEntries(
      files.map((file) => [file, createHash('sha256').update(readFileSync(new URL(file, folder))).digest('hex')]),
    );
    expect(checksums).toEqual(JSON.parse(readFileSync(new URL('checksums.json', folder), 'utf8')));
  });
});
