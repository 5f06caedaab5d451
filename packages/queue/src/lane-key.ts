/** Lane keys are text of any origin; these functions are the only way from them to names in Redis and BullMQ. */

/** Longest lane key in UTF-8 bytes: a channel kind and an escaped user id of 128 bytes fit. */
export const laneKeyBytesMax = 512;

const safe = /[^A-Za-z0-9_.-]/gu;

/** Throws a TypeError unless the key is well-formed text of 1 to 512 UTF-8 bytes. */
export function checkLaneKey(key: string): void {
  const bytes = Buffer.byteLength(key);
  if (bytes === 0 || bytes > laneKeyBytesMax) throw new TypeError(`a lane key has 1 to ${laneKeyBytesMax} bytes, this one has ${bytes}`);
  // Two lone surrogates become the same bytes in Redis, so two lanes would become one.
  if (!key.isWellFormed()) throw new TypeError('a lane key must be well-formed text');
}

/** Injective; the result holds only `A-Za-z0-9_.-~`, so no colon, no brace and no space reaches a name of BullMQ. */
export function escapeName(text: string): string {
  return text.replace(safe, (character) => `~${(character.codePointAt(0) ?? 0).toString(16)}~`);
}

/** Deduplication id of the doorbell of a lane. */
export function doorbellIdOf(key: string): string {
  return `lane-${escapeName(key)}`;
}

/** Job id of a timer. The prefix keeps ids such as `7`, `meta` or `wait` from meeting BullMQ's own keys. */
export function timerIdOf(id: string): string {
  return `timer-${escapeName(id)}`;
}
