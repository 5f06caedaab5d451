/** An id of a Redis stream or of the realm clock: `<ms>-<seq>`. */
export type StreamId = `${number}-${number}`;

const pattern = /^\d{1,16}-\d{1,16}$/;

/** True for a well-formed id whose parts are safe integers. */
export function isStreamId(text: string): text is StreamId {
  if (!pattern.test(text)) return false;
  const [ms, seq] = split(text);
  return Number.isSafeInteger(ms) && Number.isSafeInteger(seq);
}

/** Negative, zero or positive as `a` is before, at or after `b`. Both must be well-formed; `0-0` is before everything. */
export function compareStreamIds(a: string, b: string): number {
  const [aMs, aSeq] = split(a);
  const [bMs, bSeq] = split(b);
  return aMs - bMs || aSeq - bSeq;
}

/** The milliseconds part of an id: the time of the Redis server when it was drawn. */
export function msOfStreamId(id: string): number {
  return split(id)[0];
}

function split(id: string): [ms: number, seq: number] {
  const dash = id.indexOf('-');
  return [Number(id.slice(0, dash)), Number(id.slice(dash + 1))];
}
