import type { EngineSocket } from './session.ts';

/** What no decoder ever counts: pongs and empty packets of Engine.IO, and pings of the WebSocket below. */
const allowance = { ratePerSecond: 4, burst: 40 } as const;

/** The part of `ws` that tells of its own pings, which it answers by itself. */
interface WithPings {
  readonly socket?: { on(event: 'ping', listener: () => void): unknown };
}

/**
 * Closes a connection that sends more heartbeats than any honest client. They cost little each, but pass by the bucket of
 * frames, and a pong that nobody asked for keeps a dead client alive.
 */
export function guardHeartbeats(conn: EngineSocket, onFlood: () => void, now: () => number = () => performance.now()): void {
  let tokens: number = allowance.burst;
  let refilledAtMs = now();
  const take = (): void => {
    const nowMs = now();
    tokens = Math.min(allowance.burst, tokens + ((nowMs - refilledAtMs) * allowance.ratePerSecond) / 1000);
    refilledAtMs = nowMs;
    tokens -= 1;
    if (tokens > -1 || conn.readyState !== 'open') return;
    onFlood();
    conn.close(true);
  };
  conn.on('packet', ({ type }: { readonly type: string }) => {
    if (type !== 'message') take();
  });
  (conn.transport as unknown as WithPings).socket?.on('ping', take);
  conn.on('upgrade', (transport: WithPings) => transport.socket?.on('ping', take));
}
