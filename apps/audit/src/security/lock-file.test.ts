import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { repositoryRoot } from '../repository.ts';
import { checkAddresses, checkVersions } from './lock-file.ts';

const lockFile = (...keys: string[]): string => `lockfileVersion: '9.0'\npackages:\n${keys.map((key) => `\n  '${key}':\n    resolution: {integrity: sha512-x}\n`).join('')}`;
const floors = [{ name: 'ws', floor: '8.21.0', because: ['CVE-1'], onlyOne: true }, { name: '@a/b', floor: '2.10.3', because: ['CVE-2', 'CVE-3'] }] as const;

describe('the versions of a lock file', () => {
  it('pass at the floor and above it', () => {
    expect(checkVersions(lockFile('ws@8.21.0', '@a/b@2.10.3', '@a/b@3.0.0', 'c@0.0.1'), floors)).toEqual([]);
    expect(checkVersions(lockFile('ws@10.0.0', '@a/b@2.11.0'), floors)).toEqual([]);
  });

  it.each([
    ['ws@8.20.9', '8.20.9 is installed, below 8.21.0: CVE-1'], ['ws@7.99.99', 'below'], ['ws@8.21.0-rc.1', 'below'], ['ws@8.9.0', 'below'], ['ws@file:../ws', 'below'],
  ])('are found below it: %s', (key, words) => {
    expect(checkVersions(lockFile(key, '@a/b@2.10.3'), floors)).toEqual([expect.stringContaining(words)]);
  });

  it('are found one by one', () => {
    expect(checkVersions(lockFile('ws@8.21.0', '@a/b@2.10.2', '@a/b@3.0.0'), floors)).toEqual(['@a/b 2.10.2 is installed, below 2.10.3: CVE-2; CVE-3']);
  });

  it('are one where one is demanded', () => {
    expect(checkVersions(lockFile('ws@8.21.0', 'ws@8.22.0', '@a/b@3.0.0'), floors)).toEqual([expect.stringContaining('installed 2 times (8.21.0, 8.22.0)')]);
  });

  it('hold no package that may not be there', () => {
    expect(checkVersions(lockFile('ws@8.21.0', '@a/b@3.0.0', 'redis-parser@3.0.0'), floors)).toEqual([expect.stringContaining('redis-parser is installed')]);
  });

  it('that are not there leave a row of the table without work, which is found', () => {
    expect(checkVersions(lockFile('ws@8.21.0'), floors)).toEqual([expect.stringContaining('@a/b is not in the lock file')]);
    expect(checkVersions('', floors)).toHaveLength(2);
  });

  it('of this repository are in order', () => {
    const text = readFileSync(join(repositoryRoot, 'pnpm-lock.yaml'), 'utf8');
    expect([checkVersions(text), checkAddresses(text)]).toEqual([[], []]);
  });
});

describe('addresses in a lock file', () => {
  it.each([
    ['resolution: {integrity: sha512-x, tarball: https://example.org/a.tgz}'], ['resolution: {type: git, repo: git@example.org:a}'], ["version: 'git+ssh://example.org/a'"],
    ["'https://example.org/a.tgz': {}"],
  ])('are found: %s', (line) => {
    expect(checkAddresses(`packages:\n  a@1.0.0:\n    ${line}\n`)).toHaveLength(1);
  });

  it('are let pass in the words of a maintainer', () => {
    expect(checkAddresses('packages:\n  a@1.0.0:\n    deprecated: see https://example.org\n')).toEqual([]);
  });
});
