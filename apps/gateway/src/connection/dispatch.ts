import { type ClientEventName, type ClientPayload, isClientEventName, parseClientPayload, Rejection } from '@skirmish/protocol';
import type { Call, RealmContext } from '../context.ts';
import { acknowledge, type Answer, refuse, type Reply } from './acknowledge.ts';
import type { EventRow } from './event-row.ts';
import type { EventTable } from './events.ts';
import { limitHere, limitInCluster } from './limit-event.ts';
import { rejectionOf } from './rejection-of.ts';
import type { Session, SocketWithAuth } from './session.ts';
import { withoutPayload } from './without-payload.ts';

/** A handler that takes longer is answered for: the client may send the same command again. */
const handlerTimeoutMs = 5_000;

type Row = EventRow<ClientEventName>;
type Payload = ClientPayload<ClientEventName>;

/**
 * Makes the one listener that all sockets of a realm share (`socket.onAny`): parse, limit, authorise, handle, acknowledge.
 *
 * Whatever a client sends and whatever a handler throws, the process lives and the client gets exactly one answer: through its
 * callback if it gave one, else a refusal arrives as `session:refused`.
 */
export function createDispatch(realm: RealmContext, table: EventTable): (this: SocketWithAuth, event: unknown, ...args: unknown[]) => void {
  return function dispatch(event, ...args) {
    const session = realm.sessions.get(this.id);
    if (!session) return;
    const last = args.at(-1);
    const answer = typeof last === 'function' ? (last as Answer) : null;
    if (answer) args.pop();
    const reply: Reply = { socket: this, event: String(event), answer };
    try {
      receive(realm, session, table, event, args, reply);
    } catch (error) {
      answerError(realm, reply, error);
    }
  };
}

function receive(realm: RealmContext, session: Session, table: EventTable, event: unknown, args: readonly unknown[], reply: Reply): void {
  if (!isClientEventName(event)) throw new Rejection('event/unknown');
  const row = table[event] as Row | undefined;
  if (!row) throw new Rejection('event/unknown');
  const call: Call = { realm, session, event, receivedAtMs: performance.now() };
  const payload = parse(event, args);
  limitHere(call, row.limit, payload);
  if (row.order === 'at-once') {
    void run(call, row, payload, reply);
  } else if (!session.turns.take(() => run(call, row, payload, reply))) {
    throw new Rejection('server/busy');
  }
}

function parse(event: ClientEventName, args: readonly unknown[]): Payload {
  if (args.length > 1) throw new Rejection('payload/invalid');
  return parseClientPayload(event, args[0]);
}

async function run(call: Call, row: Row, payload: Payload, reply: Reply): Promise<void> {
  const { calls, gateway } = call.realm;
  calls.count += 1;
  call.session.calls.count += 1;
  try {
    const data = await withinTime(answerOf(call, row, payload));
    acknowledge(reply, data, gateway.metrics);
    gateway.metrics.eventSeconds.observe({ event: call.event, outcome: 'accepted' }, (performance.now() - call.receivedAtMs) / 1000);
  } catch (error) {
    const outcome = answerError(call.realm, reply, error, payload);
    gateway.metrics.eventSeconds.observe({ event: call.event, outcome }, (performance.now() - call.receivedAtMs) / 1000);
  } finally {
    calls.count -= 1;
    call.session.calls.count -= 1;
  }
}

async function answerOf(call: Call, row: Row, payload: Payload): Promise<unknown> {
  await limitInCluster(call, row.limit);
  await row.may(call, payload);
  return row.handle(call, payload);
}

async function withinTime(work: Promise<unknown>): Promise<unknown> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => { reject(new Rejection('server/unavailable')); }, handlerTimeoutMs);
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Never throws: what cannot be answered is logged, without what people wrote. */
function answerError(realm: RealmContext, reply: Reply, error: unknown, payload?: Payload): 'refused' | 'failed' {
  const { metrics } = realm.gateway;
  const rejection = rejectionOf(error);
  const failed = rejection.code === 'server/internal';
  const event = isClientEventName(reply.event) ? reply.event : 'other';
  if (failed) metrics.report('event-failed', { client_event: event }, { err: withoutPayload(error, payload), userId: realm.sessions.get(reply.socket.id)?.userId });
  else metrics.report('event-refused', { client_event: event, code: rejection.code });
  try {
    refuse(reply, rejection.toRefusal());
  } catch (err) {
    metrics.report('answer-unsendable', { client_event: event }, { err });
  }
  return failed ? 'failed' : 'refused';
}
