import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { type Check, looked } from '../check.ts';
import { unwantedPackages, type VersionFloor, versionFloors } from './version-floors.ts';

interface LockFile {
  readonly packages?: Readonly<Record<string, unknown>>;
}

/** Every installed version that is known to be vulnerable, second versions where one is demanded, unwanted packages, and rows of the table that look at nothing. */
export function checkVersions(text: string, floors: readonly VersionFloor[] = versionFloors): string[] {
  const versions = versionsIn(parse(text) as LockFile | null);
  const unwanted = Object.entries(unwantedPackages).flatMap(([name, reason]) => (versions.has(name) ? [`${name} is installed: ${reason}`] : []));
  const below = floors.flatMap(({ name, floor, because, onlyOne }) => {
    const installed = versions.get(name) ?? [];
    return [
      ...installed.filter((version) => isBelow(version, floor)).map((version) => `${name} ${version} is installed, below ${floor}: ${because.join('; ')}`),
      ...(onlyOne === true && installed.length > 1 ? [`${name} is installed ${installed.length} times (${installed.join(', ')}): one version is looked after`] : []),
      ...(installed.length === 0 ? [`${name} is not in the lock file: take its row out of version-floors.ts, or find out by which name it comes now`] : []),
    ];
  });
  return [...below, ...unwanted];
}

/** Every address in a lock file: what is installed is named by version and checksum, so that any registry can serve it and none is trusted. */
export function checkAddresses(text: string): string[] {
  return addressesIn(parse(text), '').map(({ path, value }) => `pnpm-lock.yaml, ${path}: ${value}`);
}

function versionsIn(file: LockFile | null): Map<string, string[]> {
  const versions = new Map<string, string[]>();
  for (const key of Object.keys(file?.packages ?? {})) {
    const at = key.lastIndexOf('@');
    versions.set(key.slice(0, at), [...(versions.get(key.slice(0, at)) ?? []), key.slice(at + 1)]);
  }
  return versions;
}

/** True also for a version that is none (a tag, an address), and for a candidate of the floor itself. */
function isBelow(version: string, floor: string): boolean {
  const [core = '', candidate] = version.split(/-(.*)/s);
  const [numbers, bounds] = [core, floor].map((text) => text.split('.').map(Number));
  if (numbers?.length !== 3 || bounds === undefined || !numbers.every(Number.isInteger)) return true;
  for (const [index, bound] of bounds.entries()) {
    const number = numbers[index] ?? 0;
    if (number !== bound) return number < bound;
  }
  return candidate !== undefined;
}

function addressesIn(value: unknown, path: string): { path: string; value: string }[] {
  if (typeof value === 'string') return /:\/\/|^git[@+]/.test(value) ? [{ path, value }] : [];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, part]) => {
    // What a maintainer says about a version is no place that anything is fetched from.
    if (key === 'deprecated') return [];
    return [...addressesIn(key, path), ...addressesIn(part, path === '' ? key : `${path} › ${key}`)];
  });
}

export const versions: Check = {
  name: 'versions',
  question: 'is every installed version above those that are known to be vulnerable?',
  run: async ({ root }) => {
    const text = await readFile(join(root, 'pnpm-lock.yaml'), 'utf8');
    const findings = [...checkVersions(text), ...checkAddresses(text)];
    return looked(`pnpm-lock.yaml: ${versionsIn(parse(text) as LockFile).size} packages, ${versionFloors.length} floors, addresses`, Math.max(0, versionFloors.length + 1 - findings.length), findings);
  },
};
