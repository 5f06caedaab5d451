/** The chain of an error and its causes, members of an AggregateError included, ten at most. */
const chainOf = (error: unknown): object[] => {
  const chain: object[] = [];
  const open: unknown[] = [error];
  while (open.length > 0 && chain.length < 10) {
    const next = open.shift();
    if (typeof next !== 'object' || next === null || chain.includes(next)) continue;
    chain.push(next);
    if ('cause' in next) open.push(next.cause);
    if (next instanceof AggregateError) open.push(...(next.errors as unknown[]));
  }
  return chain;
};

const codeOf = (error: object): string | undefined => ('code' in error && typeof error.code === 'string' ? error.code : undefined);

/** Five characters, but not EPIPE. */
const sqlState = /^(?:\d|F0|HV|P0|XX)[0-9A-Z]{3,4}$/;

/** The SQLSTATE of a database error, also of one that is the cause of another. */
export const sqlStateOf = (error: unknown): string | undefined =>
  chainOf(error)
    .map(codeOf)
    .find((code) => code !== undefined && sqlState.test(code));
