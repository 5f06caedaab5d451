import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { getHeapStatistics } from 'node:v8';

/** How full the memory is, as shares of their limits; null where there is no limit. */
export interface MemoryUse {
  readonly heap: number;
  readonly container: number | null;
}

interface ContainerFiles {
  readonly limit: string;
  readonly usage: string;
  readonly statistics: string;
  /** The line of the statistics with what the kernel gives back before it kills anybody: the cache of files. */
  readonly reclaimable: RegExp;
}

const version2: ContainerFiles = { limit: 'memory.max', usage: 'memory.current', statistics: 'memory.stat', reclaimable: /^inactive_file (\d+)$/m };
const version1: ContainerFiles = {
  limit: 'memory/memory.limit_in_bytes',
  usage: 'memory/memory.usage_in_bytes',
  statistics: 'memory/memory.stat',
  reclaimable: /^total_inactive_file (\d+)$/m,
};
/** Version 1 says "no limit" with a number near 2^63. */
const limitBytesMax = 2 ** 60;

/**
 * Makes a reader of heap and container; a look takes about 0.1 ms. The container's figure is what kubelet goes by: usage without
 * the cache of files. Its limit is read once.
 *
 * @param root where the control groups are mounted
 */
export function createMemoryUse(root = '/sys/fs/cgroup'): () => MemoryUse {
  const files = [version2, version1].find(({ limit, usage }) => numberIn(root, limit) !== null && numberIn(root, usage) !== null);
  const limitBytes = files === undefined ? null : numberIn(root, files.limit);
  const hasLimit = limitBytes !== null && limitBytes > 0 && limitBytes < limitBytesMax;
  return () => {
    const { used_heap_size: used, heap_size_limit: limit } = getHeapStatistics();
    return { heap: used / limit, container: files && hasLimit ? usedBytes(root, files) / limitBytes : null };
  };
}

function usedBytes(root: string, { usage, statistics, reclaimable }: ContainerFiles): number {
  const cache = Number(reclaimable.exec(textOf(root, statistics))?.[1] ?? 0);
  return Math.max(0, (numberIn(root, usage) ?? 0) - cache);
}

/** Null for `max` and for a file that is not there. */
function numberIn(root: string, file: string): number | null {
  const text = textOf(root, file).trim();
  return /^\d+$/.test(text) ? Number(text) : null;
}

function textOf(root: string, file: string): string {
  try {
    return readFileSync(join(root, file), 'utf8');
  } catch {
    return '';
  }
}
