import { execFileSync } from 'node:child_process';
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Takes the lock file unless a living process holds it. Returns a function that gives it back, or the holder's process id.
 * The file holds the process id and the time at which that process began: an id that went to somebody else holds nothing.
 */
export function tryLock(file) {
  mkdirSync(dirname(file), { recursive: true });
  const mine = JSON.stringify({ pid: process.pid, began: beganAt(process.pid) });
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, mine);
  try {
    for (let tries = 0; tries < 20; tries += 1) {
      if (linked(draft, file)) return { release: () => release(file, mine), holder: null };
      const theirs = read(file);
      const holder = holderOf(theirs);
      if (holder !== null) return { release: null, holder };
      if (theirs !== null) removeStale(file, theirs);
    }
    throw new Error(`the lock ${file} cannot be taken`);
  } finally {
    rmSync(draft, { force: true });
  }
}

/** Takes the lock file, waiting while a living process holds it; `onWait` hears once whose it is. */
export async function waitForLock(file, onWait) {
  let told = false;
  for (;;) {
    const { release: give, holder } = tryLock(file);
    if (give !== null) return give;
    if (!told) onWait(holder);
    told = true;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** The process id of the living holder of a lock file, or null. */
export function lockHolder(file) {
  return holderOf(read(file));
}

function linked(draft, file) {
  try {
    linkSync(draft, file);
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
}

function removeStale(file, content) {
  const aside = `${file}.${process.pid}.stale`;
  try {
    renameSync(file, aside);
  } catch {
    return;
  }
  // Between reading and renaming somebody else may have removed the stale one and taken the lock: then it is given back.
  if (read(aside) !== content) linked(aside, file);
  rmSync(aside, { force: true });
}

function release(file, mine) {
  if (read(file) === mine) rmSync(file, { force: true });
}

function read(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}

function holderOf(content) {
  if (content === null) return null;
  try {
    const { pid, began } = JSON.parse(content);
    return Number.isInteger(pid) && began !== null && beganAt(pid) === began ? pid : null;
  } catch {
    return null;
  }
}

/** When a process began, as the system writes it; null when there is none. */
function beganAt(pid) {
  try {
    if (process.platform !== 'linux') return execFileSync('ps', ['-p', String(pid), '-o', 'lstart='], { encoding: 'utf8' }).trim() || null;
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const words = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // A zombie holds nothing any more.
    return words[0] === 'Z' ? null : words[19];
  } catch {
    return null;
  }
}
