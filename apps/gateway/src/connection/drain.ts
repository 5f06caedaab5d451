import type { RealmContext } from '../context.ts';

const sliceIntervalMs = 100;
/** A few connections are not worth waiting for. */
const sliceSocketsMin = 20;

/** Tells all clients that their connection ends soon, so that they can finish what they are doing. */
export function announceDrain(realms: readonly RealmContext[], reconnectInMs: number): void {
  for (const { nsp, transport } of realms) {
    transport.drain();
    nsp.local.emit('session:draining', { reconnectInMs });
  }
}

/**
 * Closes all connections in slices over `spreadMs`, the oldest first, so that the other gateways are not stormed. Only the
 * transport closes: a client that is told `disconnect` would never come back.
 */
export async function closeSockets(realms: readonly RealmContext[], spreadMs: number, signal: AbortSignal): Promise<void> {
  const count = realms.reduce((sum, { nsp }) => sum + nsp.sockets.size, 0);
  const slice = Math.max(sliceSocketsMin, Math.ceil(count / Math.max(1, spreadMs / sliceIntervalMs)));
  for (;;) {
    const next = realms.flatMap(({ nsp }) => [...nsp.sockets.values()]).slice(0, slice);
    for (const socket of next) socket.conn.close();
    if (next.length < slice || signal.aborted) return;
    await pause(sliceIntervalMs);
  }
}

/** Waits until every call that was taken has its answer. */
export async function callsAnswered(realms: readonly RealmContext[], signal: AbortSignal): Promise<void> {
  while (!signal.aborted && realms.some(({ calls }) => calls.count > 0)) await pause(10);
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
