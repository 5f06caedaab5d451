import type { Party, ServerPayload, UserId } from '@skirmish/protocol';
import { partyDataBytesMax, roomOf } from '@skirmish/protocol';
import { eventually } from '@skirmish/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startCluster, type Cluster } from './_cluster.ts';
import type { Player } from './_player.ts';
import { openers, type TransportName } from './_raw-client.ts';
import { RawNamespace } from './_raw-socket.ts';

const placeholder = { _placeholder: true, num: 0 };
/** All byte values, the first of a message's frame among them, and every length that a frame or base64 treats apart. */
const bytesOf = (length: number): Buffer => Buffer.from(Array.from({ length }, (_, index) => (index * 31 + length) % 256));
const sizes = [0, 1, 2, 3, 125, 126, 257, 8_191, partyDataBytesMax];

describe('[PTY3] [PTY11] bytes between the members of a party on two gateways', () => {
  let cluster: Cluster;
  const players: Player[] = [];
  const raws: RawNamespace[] = [];
  let party: Party;

  const rawClient = async (userId: string, gateway: number, transport: TransportName): Promise<RawNamespace> => {
    const connection = await openers[transport](cluster.gateways[gateway]?.url ?? '');
    const raw = await new RawNamespace(connection, `/realm/${cluster.realm}`).enter(await cluster.token(userId));
    raws.push(raw);
    return raw;
  };
  const jsClient = async (userId: string, gateway: number, transport: 'websocket' | 'polling'): Promise<Player> => {
    const player = await cluster.connect(userId, gateway, { transports: [transport] });
    players.push(player);
    return player;
  };
  const dataOf = (answer: { data: unknown }): unknown => (answer.data as unknown[])[0];

  beforeAll(async () => {
    cluster = await startCluster({ gateways: 2, combatWorkers: 0, moderationWorkers: 0, env: { RATE_LIMIT_SCALE: '100' } });
    const leader = await jsClient('p1', 0, 'websocket');
    ({ party } = await leader.ask('party:create', { commandId: 'found' }));
    const invited = ['p2', 'p3', 'p4', 'p5'];
    for (const userId of invited) await leader.ask('party:invite', { commandId: `invite-${userId}`, userId });
    const second = await jsClient('p2', 1, 'polling');
    await second.ask('party:accept', { commandId: 'join', partyId: party.id });
    for (const [userId, gateway, transport] of [['p3', 0, 'polling'], ['p4', 1, 'websocket'], ['p5', 0, 'upgraded']] as const) {
      const raw = await rawClient(userId, gateway, transport);
      expect(dataOf(await raw.ask('party:accept', { commandId: 'join', partyId: party.id }))).toMatchObject({ ok: true });
    }
    // The same user twice, and somebody from elsewhere.
    await jsClient('p1', 1, 'websocket');
    await jsClient('p9', 1, 'websocket');
  }, 60_000);
  afterAll(async () => {
    for (const raw of raws) raw.connection.drop();
    await cluster.stop();
  });

  const heardBy = (player: Player): ServerPayload<'party:data'>[] => player.of('party:data');
  const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

  it('arrive byte for byte over every transport, from JavaScript and from a client written against the protocol, at the others only', async () => {
    const [leader, second, leaderAgain, stranger] = players;
    const [polling, websocket, upgraded] = raws;
    if (!leader || !second || !leaderAgain || !stranger || !polling || !websocket || !upgraded) throw new Error('somebody is missing');
    const sent: { from: string; hex: string }[] = [];
    for (const size of sizes) {
      const bytes = bytesOf(size);
      for (const [from, send] of [
        ['p1', () => leader.ask('party:data', { kind: 'voice', bytes })],
        ['p2', () => second.ask('party:data', { kind: 'voice', bytes })],
        ['p3', async () => { expect(dataOf(await polling.ask('party:data', { kind: 'voice', bytes: placeholder }, bytes))).toEqual({ ok: true, data: {} }); }],
        ['p4', async () => { expect(dataOf(await websocket.ask('party:data', { kind: 'voice', bytes: placeholder }, bytes))).toEqual({ ok: true, data: {} }); }],
      ] as const) {
        await send();
        sent.push({ from, hex: hexOf(bytes) });
      }
    }
    const expectedAt = (userId: string) => sent.filter(({ from }) => from !== userId).map(({ from, hex }) => `${from} voice ${hex}`).sort();
    const atPlayer = (player: Player) => heardBy(player).map(({ from, kind, bytes }) => `${from} ${kind} ${hexOf(bytes)}`).sort();
    const atRaw = (raw: RawNamespace) => raw.events('party:data').map(({ payload, attachments }) => {
      const { from, kind, bytes } = payload as { from: string; kind: string; bytes: unknown };
      expect(bytes).toEqual(placeholder);
      return `${from} ${kind} ${hexOf(attachments[0] ?? Buffer.from('none'))}`;
    }).sort();
    await eventually(() => {
      for (const [player, userId] of [[leader, 'p1'], [leaderAgain, 'p1'], [second, 'p2']] as const) expect(atPlayer(player)).toEqual(expectedAt(userId));
      for (const [raw, userId] of [[polling, 'p3'], [websocket, 'p4'], [upgraded, 'p5']] as const) expect(atRaw(raw)).toEqual(expectedAt(userId));
    }, { timeoutMs: 10_000, what: 'all bytes at everybody' });
    expect(heardBy(stranger)).toEqual([]);
  }, 60_000);

  it('are refused where they are too many, no bytes, or of nobody in a party', async () => {
    const [leader, , , stranger] = players;
    if (!leader || !stranger) throw new Error('somebody is missing');
    expect(await leader.send('party:data', { kind: 'voice', bytes: bytesOf(partyDataBytesMax + 1) })).toMatchObject({ error: { code: 'payload/too-large' } });
    expect(await leader.send('party:data', { kind: 'voice', bytes: 'AAAA' as never })).toMatchObject({ error: { code: 'payload/invalid' } });
    expect(await stranger.send('party:data', { kind: 'voice', bytes: bytesOf(1) })).toMatchObject({ error: { code: 'party/none' } });
  });

  it('that came to the channel in another form are left out, and the next ones arrive', async () => {
    const [leader, second] = players;
    if (!leader || !second) throw new Error('somebody is missing');
    const redis = cluster.command();
    await eventually(() => redis.status === 'ready');
    const channel = `{${cluster.realm}}:volatile:${roomOf.party(party.id)}`;
    const before = heardBy(second).length;
    const framed = (json: string, bytes: Buffer, length = Buffer.byteLength(json)): Buffer => {
      const header = Buffer.from([1, 0, 0, 0, 0]);
      header.writeUInt32BE(length, 1);
      return Buffer.concat([header, Buffer.from(json), bytes]);
    };
    const body = (payload: object): string => JSON.stringify({ v: 1, kind: 'event', event: 'party:data', payload, exceptRooms: [roomOf.user('p9' as UserId)] });
    for (const message of [
      Buffer.from([1]), framed('{}', Buffer.alloc(3)), framed(body({ from: 'p9', kind: 'voice' }), Buffer.alloc(partyDataBytesMax + 1)), framed(body({ from: 'p9', kind: 'voice' }), Buffer.alloc(0), 1_000_000),
      Buffer.from(body({ from: 'p9', kind: 'voice', bytes: 'AAAA' })), framed('no JSON', Buffer.alloc(3)),
    ]) await redis.publish(channel, message);
    await leader.ask('party:data', { kind: 'voice', bytes: bytesOf(5) });
    await eventually(() => heardBy(second).length > before);
    expect(heardBy(second).slice(before).map(({ from }) => from)).toEqual(['p1']);
  });
});
