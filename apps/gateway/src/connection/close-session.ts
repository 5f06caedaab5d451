import { type RefusalCode, refusals } from '@skirmish/protocol';
import type { SocketWithAuth } from './session.ts';
import { emitDirect } from './redis-adapter.ts';

/**
 * Tells a client why and ends its connection. Where the refusal is final the client is told not to come back by itself;
 * otherwise only the transport closes, and every Socket.IO client reconnects.
 */
export function closeSession(socket: SocketWithAuth, code: RefusalCode, message: string = refusals[code].message): void {
  emitDirect(socket, 'session:closed', { code, message });
  if (refusals[code].retry === 'never') socket.disconnect(true);
  else socket.conn.close();
}
