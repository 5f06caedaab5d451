import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** Returns the ids of all running children and grandchildren of a process. */
export function descendantsOf(pid: number): number[] {
  const parents = process.platform === 'linux' ? parentsFromProc() : parentsFromPs();
  const found: number[] = [];
  let layer = [pid];
  while (layer.length > 0) {
    layer = parents.filter(([, parent]) => layer.includes(parent)).map(([child]) => child);
    found.push(...layer);
  }
  return found;
}

/** Sends a signal to a process and everything below it; those that have gone meanwhile are passed over. */
export function signalTree(pid: number, signal: NodeJS.Signals): void {
  for (const target of [pid, ...descendantsOf(pid)]) {
    try {
      process.kill(target, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}

function parentsFromProc(): [child: number, parent: number][] {
  const pairs: [number, number][] = [];
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      // The name in parentheses may hold spaces and parentheses itself; the parent is the second word after the last one.
      const stat = readFileSync(`/proc/${entry}/stat`, 'utf8');
      const parent = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1];
      pairs.push([Number(entry), Number(parent)]);
    } catch {
      // The process ended while we were reading.
    }
  }
  return pairs;
}

function parentsFromPs(): [child: number, parent: number][] {
  const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' }).trim().split('\n');
  return lines.map((line) => {
    const [child = '', parent = ''] = line.trim().split(/\s+/);
    return [Number(child), Number(parent)];
  });
}
