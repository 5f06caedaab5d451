import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { writeAtomically } from '../local-folder.ts';

export type ProcessRole = 'load-balancer' | 'gateway' | 'combat-worker' | 'moderation-worker' | 'redis' | 'postgres';

/** One running process; the id of a gateway is its incarnation. */
export interface ProcessEntry {
  role: ProcessRole;
  id: string;
  pid: number;
  publicPort?: number;
  internalPort?: number;
}

/** What runs now and where: the content of `.local/cluster.json`. */
export interface ClusterDescription {
  url: string;
  redisUrl: string;
  queueRedisUrl: string;
  databaseUrl: string;
  processes: ProcessEntry[];
}

export const clusterFileOf = (folder: string): string => join(folder, 'cluster.json');

/** Replaces the file in one step. */
export function writeClusterFile(folder: string, description: ClusterDescription): void {
  writeAtomically(clusterFileOf(folder), `${JSON.stringify(description, null, 2)}\n`, 0o600);
}

/** Returns what runs now, or null. */
export function readClusterFile(folder: string): ClusterDescription | null {
  try {
    return JSON.parse(readFileSync(clusterFileOf(folder), 'utf8')) as ClusterDescription;
  } catch {
    return null;
  }
}

export function removeClusterFile(folder: string): void {
  rmSync(clusterFileOf(folder), { force: true });
}
