import { nameLengthMax } from '@skirmish/protocol';

/**
 * A stored name as others may be shown it: its first 64 UTF-16 units, never half a character. The game writes names of any length, and one that is longer
 * than the contract allows would be refused wherever it is read.
 */
export function shownName(name: string): string {
  const start = name.slice(0, nameLengthMax);
  return start.isWellFormed() ? start : start.slice(0, -1);
}
