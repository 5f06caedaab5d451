/** A value as text for a `jsonb` column. Throws a TypeError for what JSON cannot hold (a BigInt, a cycle), before anything is sent. */
export const json = (value: unknown): string => JSON.stringify(value);
