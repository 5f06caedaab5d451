import type { ClientAnswer, ClientPayload } from '@skirmish/protocol';
import type { Call } from '../context.ts';

/** Echoes the client's clock beside ours; never touches Redis. */
export function onPing(_call: Call, { atMs }: ClientPayload<'session:ping'>): ClientAnswer<'session:ping'> {
  return { atMs, serverTimeMs: Date.now() };
}
