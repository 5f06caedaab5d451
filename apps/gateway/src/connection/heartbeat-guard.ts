import type { EngineSocket } from './session.ts';

/** What no decoder ever counts: pongs and empty packets of Engine.IO, and pings of the WebSocket below. */
const allowance = { ratePerSecond: 4, burst: 40 } as const;
/** An upgrade makes Engine.IO forget a ping that is under way, so one honest pong may look as if nobody had asked. */
const unaskedPongsMax = 3;

/** The part of `ws` that tells of its own pings, which it answers by itself. */
interface WithPings {
  readonly socket?: { on(event: 'ping', listener: () => void): unknown };
}

/**
 * Closes a connection that sends more heartbeats than any honest client, or pongs that nobody asked for: they pass by the
 * bucket of frames, and they keep a client alive that reads nothing, since Engine.IO takes each for a sign of life.
 */
export function guardHeartbeats(conn: EngineSocket, onCut: (reason: 'heartbeats' | 'unasked-pongs') => void, now: () => number = () => performance.now()): void {
  let tokens: number = allowance.burst;
  let refilledAtMs = now();
  let unaskedPongs = 0;
  const cut = (reason: 'heartbeats' | 'unasked-pongs'): void => {
    if (conn.readyState !== 'open') return;
    onCut(reason);
    conn.close(true);
  };
  const take = (): void => {
    const nowMs = now();
    tokens = Math.min(allowance.burst, tokens + ((nowMs - refilledAtMs) * allowance.ratePerSecond) / 1000) - 1;
    refilledAtMs = nowMs;
    if (tokens < 0) cut('heartbeats');
  };
  conn.on('packet', ({ type }: { readonly type: string }) => {
    if (type === 'message') return;
    take();
    if (type !== 'pong' || isAsked(conn)) return;
    unaskedPongs += 1;
    if (unaskedPongs > unaskedPongsMax) cut('unasked-pongs');
  });
  (conn.transport as unknown as WithPings).socket?.on('ping', take);
  conn.on('upgrade', (transport: WithPings) => transport.socket?.on('ping', take));
}

/** Engine.IO waits for a pong with a timer. */
function isAsked(conn: EngineSocket): boolean {
  return (conn as unknown as { readonly pingTimeoutTimer: unknown }).pingTimeoutTimer !== null;
}
