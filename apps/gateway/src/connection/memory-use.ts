import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { getHeapSpaceStatistics, getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

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
  const heapLimitBytes = oldSpaceLimitBytes();
  return () => ({ heap: oldSpaceBytes() / heapLimitBytes, container: files && hasLimit ? usedBytes(root, files) / limitBytes : null });
}

/**
 * Lets V8 collect everything, which stops the process for about 50 ms per 100 MB. It collects by itself when something is
 * allocated: a gateway that refuses everybody allocates little, and would look full for ever.
 */
export function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
}

/** What lives outside the young generation: that is what V8 gives up over. */
function oldSpaceBytes(): number {
  const spaces = getHeapSpaceStatistics().filter(({ space_name: name }) => !name.startsWith('new_'));
  return spaces.reduce((sum, { space_used_size: used }) => sum + used, 0);
}

/**
 * `heap_size_limit` includes a young generation of up to 192 MiB, which with `--max-old-space-size=96` is two thirds of it. Where
 * that option is not given, V8 makes the young generation small in comparison.
 */
function oldSpaceLimitBytes(): number {
  const options = [process.env['NODE_OPTIONS'] ?? '', ...process.execArgv].join(' ');
  const megabytes = [...options.matchAll(/--max[-_]old[-_]space[-_]size=(\d+)/g)].at(-1)?.[1];
  return megabytes === undefined || Number(megabytes) === 0 ? getHeapStatistics().heap_size_limit : Number(megabytes) * 1_048_576;
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
