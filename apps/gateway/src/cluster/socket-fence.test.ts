import { roomOf, type UserId } from '@skirmish/protocol';
import type { Socket } from 'socket.io';
import { type ClusterMessage, MessageType } from 'socket.io-adapter';
import { describe, expect, it } from 'vitest';
import { SocketFence } from './socket-fence.ts';

const user = roomOf.user('u1' as UserId);
const entry = (type: MessageType, data: object, room: string = user): ClusterMessage => ({ type, data: { opts: { rooms: [room], except: [] }, ...data } }) as unknown as ClusterMessage;
const message = entry(MessageType.BROADCAST, { packet: { data: ['app:x', {}] } });
const end = entry(MessageType.DISCONNECT_SOCKETS, { close: true, reason: { code: 'auth/banned', message: '' } });

/** A session that resumes and whose client does not read what it missed. */
function catchingUp(): SocketFence {
  const fence = new SocketFence({ onJoin: () => undefined, at: (_position, change) => { change(); } });
  const socket = { id: 's1', conn: { transport: { socket: { bufferedAmount: 2_000_000 } }, writeBuffer: [] } } as unknown as Socket;
  fence.open('s1', null);
  fence.admit('s1', '1-0');
  fence.settle('s1', [user], [{ id: '1-0', event: 'app:x', payload: {} }] as never);
  fence.complete(socket, () => '1-0', () => undefined);
  return fence;
}

describe('a session that is catching up', () => {
  it('gets what is emitted meanwhile afterwards, but its end at once: a banned client that does not read stays no longer than others', () => {
    const fence = catchingUp();
    expect(fence.pass(message, '2-0')).toEqual(['s1']);
    expect(fence.pass(end, '3-0')).toEqual([]);
    fence.stop();
  });

  it('is not ended in a room that it has left meanwhile, or for another user', () => {
    const fence = catchingUp();
    const guild = 'guild:g1';
    fence.pass(entry(MessageType.SOCKETS_JOIN, { rooms: [guild] }), '2-0');
    fence.pass(entry(MessageType.SOCKETS_LEAVE, { rooms: [guild] }), '3-0');
    expect(fence.pass(entry(MessageType.DISCONNECT_SOCKETS, { close: true }, guild), '4-0')).toEqual(['s1']);
    expect(fence.pass(entry(MessageType.DISCONNECT_SOCKETS, { close: true }, roomOf.user('u2' as UserId)), '5-0')).toEqual(['s1']);
    fence.stop();
  });
});
