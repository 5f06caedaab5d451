import { FlagError } from './flags.ts';
import { complain } from './terminal.ts';

/** A failure that one sentence explains; no stack is shown. */
export class Trouble extends Error {}

/** Says what went wrong, in one sentence where we know the reason, and returns the exit code. */
export function explain(error: unknown): 1 | 2 {
  if (error instanceof FlagError) {
    complain(error.message);
    return 2;
  }
  complain(error instanceof Trouble ? error.message : sentenceOf(error));
  return 1;
}

function sentenceOf(error: unknown): string {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  if (/ENOSPC|no space left on device/i.test(text)) return 'The disk is full: free some space and start again.';
  if (/EACCES|permission denied/i.test(text)) return `A file may not be written; does another user own files of this folder? (${firstLine(text)})`;
  return text;
}

const firstLine = (text: string): string => text.split('\n')[0] ?? text;
