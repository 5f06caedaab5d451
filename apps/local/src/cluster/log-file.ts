import { mkdirSync, openSync, writeSync, closeSync, renameSync } from 'node:fs';
import { join } from 'node:path';

/** A log of bounded size: at `bytesMax` the file becomes `<name>.1.log` and a new one begins. */
export interface LogFile {
  readonly path: string;
  write(this: void, text: string): void;
  close(this: void): void;
}

/** Opens `<folder>/logs/<name>.log`, empty. A full disk loses lines of the log and nothing else. */
export function openLogFile(folder: string, name: string, bytesMax = 10_000_000): LogFile {
  const logs = join(folder, 'logs');
  mkdirSync(logs, { recursive: true });
  const path = join(logs, `${name}.log`);
  let file = openSync(path, 'w');
  let bytes = 0;
  let open = true;
  return {
    path,
    write: (text) => {
      if (!open) return;
      try {
        bytes += writeSync(file, text);
        if (bytes < bytesMax) return;
        closeSync(file);
        renameSync(path, join(logs, `${name}.1.log`));
        file = openSync(path, 'w');
        bytes = 0;
      } catch {
        // Nobody can be told: the log is where it would be said.
      }
    },
    close: () => {
      if (open) closeSync(file);
      open = false;
    },
  };
}
