import type { EngineSocket } from './session.ts';

/** What one connection has not handed over to the kernel yet. */
export interface Waiting {
  readonly bytes: number;
  /** Changes whenever some of it was handed over, and else never: to be compared with the one of an earlier look. */
  readonly progress: Progress;
}

interface Progress {
  readonly batch: readonly unknown[];
  readonly bufferedBytes: number;
  readonly queuedBytes: number;
}

interface WaitingPacket {
  readonly data?: string | Buffer;
  readonly options?: { readonly wsPreEncodedFrame?: readonly Buffer[] };
}

/** The parts of `ws` and of Node's sockets that say what waits below Engine.IO; a polling transport has none. */
interface BelowEngine {
  readonly bufferedAmount?: number;
  readonly _socket?: { readonly _handle?: { readonly writeQueueSize?: number } | null } | null;
}

/** What a packet that waits costs besides its bytes: the object, its options, its place in the list. */
export const packetOverheadBytes = 200;

/**
 * Measures a connection; null when nothing waits, which costs two property reads. Packets are counted until the sum is above
 * `bytesMax`, so that a look at the longest queue is bounded too.
 *
 * Over polling everything waits here until the next GET; what a GET took is the kernel's.
 */
export function waitingOf(conn: EngineSocket, bytesMax: number): Waiting | null {
  const below = (conn.transport as unknown as { readonly socket?: BelowEngine }).socket;
  const bufferedBytes = below?.bufferedAmount ?? 0;
  const batch = (conn as unknown as { readonly writeBuffer: readonly WaitingPacket[] }).writeBuffer;
  if (bufferedBytes === 0 && batch.length === 0) return null;
  let bytes = bufferedBytes;
  for (let index = 0; index < batch.length && bytes <= bytesMax; index++) bytes += bytesOf(batch[index]);
  return { bytes, progress: { batch, bufferedBytes, queuedBytes: below?._socket?._handle?.writeQueueSize ?? 0 } };
}

/** Whether something was handed over between two looks at the same connection. */
export function hasProgressed(before: Progress, now: Progress): boolean {
  // Engine.IO begins a new list when it flushes; Node counts down what the kernel took of a write.
  return now.batch !== before.batch || now.bufferedBytes < before.bufferedBytes || now.queuedBytes !== before.queuedBytes;
}

function bytesOf(packet: WaitingPacket | undefined): number {
  const frame = packet?.options?.wsPreEncodedFrame;
  if (frame) return frame.reduce((sum, part) => sum + part.length, packetOverheadBytes);
  return (packet?.data?.length ?? 0) + packetOverheadBytes;
}
