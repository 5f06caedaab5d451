import { Rejection, type RefusalCode } from '@skirmish/protocol';
import { readTimeoutMessage } from './connection-pool.ts';

/** Five characters as Postgres makes them; Node's EPIPE is none. */
const sqlState = /^(?:\d[0-9A-Z]{4}|(?:F0|HV|P0|XX)[0-9A-Z]{3})$/;
/** Also where causes form a circle. */
const chainMax = 10;

/** An error with its causes and, of an AggregateError, its members. */
const chainOf = (error: unknown): object[] => {
  const chain: object[] = [];
  const open: unknown[] = [error];
  while (open.length > 0 && chain.length < chainMax) {
    const next = open.shift();
    if (typeof next !== 'object' || next === null) continue;
    chain.push(next);
    if ('cause' in next) open.push(next.cause);
    if (next instanceof AggregateError) open.push(...(next.errors as unknown[]));
  }
  return chain;
};

const codeOf = (error: object): string | undefined => ('code' in error && typeof error.code === 'string' ? error.code : undefined);

/** The SQLSTATE of a database error, also of one that is the cause of another. */
export const sqlStateOf = (error: unknown): string | undefined =>
  chainOf(error)
    .map(codeOf)
    .find((code) => code !== undefined && sqlState.test(code));

/** The first entry that a SQLSTATE begins with decides: single states stand before their class. */
const states: readonly (readonly [prefix: string, infrastructure: boolean, code: RefusalCode])[] = [
  ['08', true, 'server/unavailable'], // connection exception
  ['22', false, 'payload/invalid'], // data exception: not a UUID, a zero byte, a number out of range
  ['25P03', true, 'server/unavailable'], // idle in transaction for too long: this process was frozen or starved
  ['25P04', true, 'server/unavailable'], // transaction timeout
  ['25006', true, 'server/unavailable'], // read only: a standby, in the middle of a failover
  ['28', true, 'server/unavailable'], // refused at the door: a matter of the operator, no fault of the command
  ['3D', true, 'server/unavailable'], // the database is not there (yet)
  ['40', true, 'server/unavailable'], // serialization failure, deadlock: try again
  ['53300', true, 'server/busy'], // too many connections
  ['53', true, 'server/unavailable'], // out of memory or disk
  ['55P03', true, 'server/busy'], // lock not available
  ['57', true, 'server/unavailable'], // cancelled by a time limit, shutdown, crash, starting up
  ['58', true, 'server/unavailable'], // input and output
  ['', false, 'server/internal'], // constraints, SQL that does not fit the schema, everything else: our mistake
];

const socketCodes: ReadonlySet<string> = new Set(
  'ECONNREFUSED ECONNRESET ECONNABORTED EPIPE ETIMEDOUT EHOSTUNREACH ENETUNREACH ENETDOWN EHOSTDOWN ENOTFOUND EAI_AGAIN ENOENT'.split(' '),
);

const poolExhaustedMessage = 'timeout exceeded when trying to connect';

/** What the driver says without a code when the connection is gone, is being opened too slowly, or the pool was closed. */
const driverMessages: ReadonlySet<string> = new Set([
  readTimeoutMessage,
  poolExhaustedMessage,
  'timeout expired',
  'Connection terminated',
  'Connection terminated unexpectedly',
  'Connection terminated due to connection timeout',
  'Client was closed and is not queryable',
  'Client has encountered a connection error and is not queryable',
  'Cannot use a pool after calling end on the pool',
  'Postgres connection has been discarded',
  'driver has already been destroyed',
]);

const messageOf = (error: object): string => (error instanceof Error ? error.message : '');
const isLostConnection = (error: object): boolean => socketCodes.has(codeOf(error) ?? '') || driverMessages.has(messageOf(error));

const classify = (error: unknown): { infrastructure: boolean; code: RefusalCode } => {
  const state = sqlStateOf(error);
  const entry = state === undefined ? undefined : states.find(([prefix]) => state.startsWith(prefix));
  if (entry !== undefined) return { infrastructure: entry[1], code: entry[2] };
  const chain = chainOf(error);
  if (chain.some((link) => messageOf(link) === poolExhaustedMessage)) return { infrastructure: true, code: 'server/busy' };
  const infrastructure = chain.some(isLostConnection);
  return { infrastructure, code: infrastructure ? 'server/unavailable' : 'server/internal' };
};

/**
 * True when the same work may succeed later without anybody changing it: connection lost or refused, a time limit, shutdown, too
 * many connections, serialization. Such an error never counts as a try of a command. Never throws.
 */
export const isInfrastructureError = (error: unknown): boolean => !(error instanceof Rejection) && classify(error).infrastructure;

/**
 * What a client may hear of an error: one code of the catalogue and its sentence, never SQL, values or addresses; the error
 * itself is the `cause`, for the log. A Rejection comes back as it is.
 */
export const toRejection = (error: unknown): Rejection =>
  error instanceof Rejection ? error : new Rejection(classify(error).code, { cause: error });

/** The same for work under way: whatever it throws becomes a Rejection. */
export async function refusing<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw toRejection(error);
  }
}
