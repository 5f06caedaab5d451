import { accepted, type Acknowledgement, type Refusal, refused, Rejection } from '@skirmish/protocol';
import type { GatewayMetrics } from '../metrics.ts';
import { emitDirect } from './redis-adapter.ts';
import type { SocketWithAuth } from './session.ts';

/** The acknowledgement callback that Socket.IO made for a client that asked for one. */
export type Answer = (answer: Acknowledgement<unknown>) => void;

/** Where the answer to one event goes. */
export interface Reply {
  readonly socket: SocketWithAuth;
  readonly event: string;
  readonly answer: Answer | null;
}

const eventNameLengthMax = 64;

/** Answers a success; without a callback nothing is sent. */
export function acknowledge(reply: Reply, data: unknown, metrics: GatewayMetrics): void {
  if (!reply.answer) return;
  try {
    reply.answer(accepted(data));
  } catch (err) {
    // A BigInt or a cycle: our mistake, and the client still gets an answer.
    metrics.report('answer-unsendable', { client_event: reply.event }, { err });
    reply.answer(refused(new Rejection('server/internal').toRefusal()));
  }
}

/** Answers a refusal: through the callback, else as `session:refused`. */
export function refuse(reply: Reply, refusal: Refusal): void {
  if (reply.answer) return reply.answer(refused(refusal));
  emitDirect(reply.socket, 'session:refused', { event: reply.event.slice(0, eventNameLengthMax), error: refusal });
}
