import type { IncarnationId, PartyId, RealmId, UserId } from '@skirmish/protocol';
import { roomOf } from '@skirmish/protocol';
import { keysOf } from '@skirmish/redis';
import type { Socket } from 'socket.io';
import { type ClusterMessage, MessageType } from 'socket.io-adapter';
import { expect, it } from 'vitest';
import type { Directory, Registered } from './directory.ts';
import { RegisteredSockets } from './registered-sockets.ts';
import type { Resumes } from './resumes.ts';
import { SocketFence } from './socket-fence.ts';

const userId = 'p1' as UserId;
const party = { id: 'pt_1' as PartyId, leaderId: userId, members: [{ userId, name: 'Player 1', online: true }], missed: false };

/** A broadcast as the reader hands it on. */
const entry = (room: string, n: number): ClusterMessage =>
  ({ type: MessageType.BROADCAST, data: { packet: { type: 2, data: ['app:n', { n }], nsp: '/' }, opts: { rooms: [room], except: [], flags: {} } } }) as unknown as ClusterMessage;

it('[PTY10] entries of a party that the reader meets before Redis has said that the connection is in it are kept for it', async () => {
  const { promise, resolve } = Promise.withResolvers<Registered>();
  const directory = { connect: () => promise, note: () => undefined, settle: () => undefined, expect: () => undefined } as unknown as Directory;
  const fence = new SocketFence({ onJoin: () => undefined, at: (_position, change) => { change(); } });
  const sockets = new RegisteredSockets({
    directory, fence, resumes: {} as Resumes, keys: keysOf('main' as RealmId), incarnation: () => 'here' as IncarnationId, readerPosition: () => '30-0', socketsPerUserMax: 5,
    closeSockets: () => undefined, cutOff: () => undefined,
  });
  const rooms = [roomOf.realm, roomOf.user(userId)];
  const connecting = sockets.connect({ socketId: 's', userId, characterId: null, device: '', rooms, zone: null, tokenExpiresAtMs: 0, connectedAtMs: 0, pid: 'pid', resume: null });
  // In the order of the realm: before the registration, after it, and of somebody else.
  fence.pass(entry(roomOf.party(party.id), 1), '10-0');
  fence.pass(entry(roomOf.party(party.id), 2), '20-0');
  fence.pass(entry(roomOf.party('pt_2' as PartyId), 3), '21-0');
  resolve({ position: '15-0', crowd: null, resume: null, party });
  expect(await connecting).toEqual({ position: '15-0', party });
  fence.pass(entry(roomOf.party(party.id), 4), '22-0');
  await sockets.settle('s', [...rooms, roomOf.party(party.id)], () => 'member');
  const heard: unknown[] = [];
  const adapter = { broadcast: ({ data: [, payload] }: { data: [string, { n: number }] }) => void heard.push(payload.n) };
  sockets.complete({ id: 's', conn: {}, nsp: { name: '/', adapter } } as unknown as Socket);
  expect(heard).toEqual([2, 4]);
});
