import { type GuildId, Rejection, roomOf } from '@skirmish/protocol';
import { keysOf } from '@skirmish/redis';
import { eventually } from '@skirmish/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Client, join, tokenFor } from './_gateway.ts';
import { startRoomsBench, type RoomsBench } from './_rooms.ts';
import { callService } from './_service-caller.ts';

let bench: RoomsBench;
let service: string;
beforeAll(async () => {
  bench = await startRoomsBench();
  service = await tokenFor('backend', { roles: ['service'] });
});
afterAll(() => bench[Symbol.asyncDispose]());

const gatewayAt = (index: number) => bench.gateways[index]!;
const call = (method: 'PUT' | 'DELETE', path: string, body?: object, index = 0) => callService(gatewayAt(index), method, `/v1/guilds/${path}`, { token: service, ...(body === undefined ? {} : { body }) });
const put = (guild: string, userId: string, index = 0) => call('PUT', `${guild}/members/${userId}`, { rank: 'member' }, index);
const remove = (guild: string, userId: string) => call('DELETE', `${guild}/members/${userId}`);
const found = async (...guilds: string[]): Promise<void> => {
  for (const guild of guilds) expect((await call('PUT', guild, { name: guild })).status).toBe(200);
};
const room = (guild: string) => roomOf.guild(guild as GuildId);
const emit = (guild: string, n: number) => bench.served(0).transport.emitter.emit({ rooms: [room(guild)] }, 'app:guild', { guild, n });
const heardBy = (client: Client): string[] => client.payloads<{ guild: string; n: number }>('app:guild' as never).map(({ guild, n }) => `${guild} ${n}`);
let settles = 0;
/** What was emitted before this has been delivered wherever it is going to be. */
async function settled(...clients: Client[]): Promise<void> {
  await bench.served(0).transport.emitter.emit({ rooms: [roomOf.realm] }, 'app:settled', { n: (settles += 1) });
  for (const client of clients) await client.hears<{ n: number }>('app:settled' as never, ({ n }) => n === settles);
}

describe('a guild that takes a user in', () => {
  it('is heard by the user on every gateway from the answer on, and by nobody else', async () => {
    await found('g1');
    const own = [await join(gatewayAt(0), 'p1'), await join(gatewayAt(1), 'p1'), await join(gatewayAt(2), 'p1')];
    const others = [await join(gatewayAt(0), 'p3'), await join(gatewayAt(1), 'p2'), await join(gatewayAt(2), 'p4')];
    await emit('g1', 0);
    expect((await put('g1', 'p1')).body).toEqual({ ok: true, data: { from: 'red' } });
    for (let n = 1; n <= 5; n += 1) await emit('g1', n);
    await emit('red', 1);
    await settled(...own, ...others);
    const expected = [1, 2, 3, 4, 5].map((n) => `g1 ${n}`);
    for (const client of own) await eventually(() => expect(heardBy(client)).toEqual(expected));
    expect(others.map(heardBy)).toEqual([['red 1'], [], []]);
    for (const client of [...own, ...others]) client[Symbol.dispose]();
  });

  it('loses no event between the change and its answer, under traffic', async () => {
    await found('g2');
    using client = await join(gatewayAt(2), 'p5');
    const sent: number[] = [];
    let answered = Infinity;
    const change = put('g2', 'p5', 1).then(() => { answered = sent.length; });
    for (let n = 0; n < 400 || answered === Infinity || n < answered + 20; n += 1) {
      sent.push(n);
      await emit('g2', n);
    }
    await change;
    await eventually(() => heardBy(client).at(-1) === `g2 ${sent.at(-1)}`);
    const numbers = heardBy(client).map((line) => Number(line.split(' ')[1]));
    // One unbroken series up to the last one, which begins before the answer was there.
    expect(numbers).toEqual(sent.slice(sent.length - numbers.length));
    expect(numbers[0]).toBeLessThanOrEqual(answered);
  });

  it('is in the next welcome on any gateway, also of a reading that is cached there', async () => {
    await found('g3');
    for (const index of [0, 1, 2]) await join(gatewayAt(index), 'p6').then((client) => { client[Symbol.dispose](); });
    await put('g3', 'p6');
    for (const index of [0, 1, 2]) {
      using client = await join(gatewayAt(index), 'p6');
      expect(client.payloads('session:welcome')[0]).toMatchObject({ guild: { id: 'g3' }, rooms: expect.arrayContaining([room('g3')]) });
    }
  });

  it('is there for whoever connects between the emission and the end of the change', async () => {
    await found('g10');
    for (const index of [0, 1, 2]) await join(gatewayAt(index), 'p14').then((client) => { client[Symbol.dispose](); });
    const { emitter } = bench.served(0).transport;
    const original = emitter.join;
    const welcomes: unknown[] = [];
    (emitter as { join: unknown }).join = async (...args: Parameters<typeof original>) => {
      const done = await original(...args);
      (emitter as { join: unknown }).join = original;
      using client = await join(gatewayAt(2), 'p14');
      welcomes.push(client.payloads('session:welcome')[0]);
      return done;
    };
    await put('g10', 'p14');
    expect(welcomes).toMatchObject([{ guild: { id: 'g10' }, rooms: expect.arrayContaining([room('g10')]) }]);
  });

  it('right after another one has no hole: a reading that began between the two changes does not take the user out again', async () => {
    await found('g13', 'g14');
    using client = await join(gatewayAt(1), 'p22');
    const { players } = bench.served(1).gateway;
    const get = players.get.bind(players);
    let readings = 0;
    players.get = async (...args) => {
      const player = await get(...args);
      readings += 1;
      // The second change is complete before the reading of the first one is answered.
      if (readings === 1) {
        await put('g14', 'p22');
        await eventually(() => bench.session(1, 'p22').socket.rooms.has(room('g14')));
      }
      // Before the second reading puts anything right.
      if (readings === 2) {
        await emit('g14', 1);
        await emit('g13', 1);
        await settled(client);
      }
      return player;
    };
    await put('g13', 'p22');
    await eventually(() => readings >= 2 && bench.served(1).reread.waiting === 0, { timeoutMs: 10_000 });
    players.get = get;
    expect(heardBy(client)).toEqual(['g14 1']);
  });

  it('is not left again because of a rank that an earlier guild gave at the same time', async () => {
    await found('g17', 'g18');
    await put('g17', 'p26');
    using client = await join(gatewayAt(1), 'p26');
    const { changes } = bench.served(0);
    const mark = changes.mark.bind(changes);
    // Committed, and not told yet, when the next guild takes the user in.
    changes.mark = async (...args) => {
      changes.mark = mark;
      await put('g18', 'p26', 2);
      await eventually(async () => (await bench.redis.hlen(keysOf(gatewayAt(0).realm as never).members(room('g18')))) === 1);
      return mark(...args);
    };
    const { emitter } = bench.served(0).transport;
    const leave = emitter.leave;
    const left: unknown[] = [];
    (emitter as { leave: unknown }).leave = (...args: Parameters<typeof leave>) => {
      left.push(args[1]);
      return leave(...args);
    };
    await call('PUT', 'g17/members/p26', { rank: 'officer' });
    (emitter as { leave: unknown }).leave = leave;
    expect(left).toEqual([]);
    await emit('g18', 1);
    await eventually(() => expect(heardBy(client)).toContain('g18 1'));
  });

  it('of two guilds at the same time leaves the user in one, as the database says', async () => {
    await found('g4', 'g5');
    using client = await join(gatewayAt(1), 'p7');
    for (let round = 0; round < 5; round += 1) await Promise.all([put('g4', 'p7', 0), put('g5', 'p7', 2)]);
    await eventually(() => expect(bench.session(1, 'p7').player.guild).not.toBeNull());
    using fresh = await join(gatewayAt(2), 'p7');
    const { id } = (fresh.payloads<{ guild: { id: string } }>('session:welcome')[0]!).guild;
    await eventually(() => expect(bench.session(1, 'p7').player.guild?.id).toBe(id));
    const rooms = () => [...bench.session(1, 'p7').socket.rooms].filter((name) => name.startsWith('guild:'));
    await put(id, 'p7');
    await eventually(() => expect(rooms()).toEqual([room(id)]));
    expect(client.socket.connected).toBe(true);
  });
});

describe('a guild that a user leaves', () => {
  it('is not heard any more on any gateway, from the answer on', async () => {
    await found('g6');
    await put('g6', 'p8');
    const own = [await join(gatewayAt(0), 'p8'), await join(gatewayAt(1), 'p8')];
    await emit('g6', 1);
    expect((await remove('g6', 'p8')).status).toBe(200);
    await emit('g6', 2);
    await settled(...own);
    for (const client of own) expect(heardBy(client)).toEqual(['g6 1']);
    expect((await remove('g6', 'p8')).body).toMatchObject({ error: { code: 'user/not-found' } });
    for (const client of own) client[Symbol.dispose]();
  });

  it('while the user was away brings nothing of the guild at the resume, not even what was said before', async () => {
    await found('g7');
    await put('g7', 'p9');
    using client = await join(gatewayAt(1), 'p9', );
    await emit('g7', 0);
    await eventually(() => heardBy(client).length === 1);
    client.socket.io.engine.close();
    await eventually(() => bench.served(1).sessions.of('p9' as never).length === 0);
    await emit('g7', 1);
    await remove('g7', 'p9');
    await emit('g7', 2);
    client.socket.connect();
    await eventually(() => client.payloads('session:welcome').length === 2);
    expect(client.socket.recovered).toBe(true);
    await settled(client);
    expect(heardBy(client)).toEqual(['g7 0']);
    expect(client.payloads('session:welcome')[1]).toMatchObject({ guild: null, rooms: expect.not.arrayContaining([room('g7')]) });
  });

  it('with all others, because it ends, is over for everybody', async () => {
    await found('g8');
    const users = ['p10', 'p11', 'p12'];
    for (const user of users) await put('g8', user);
    const clients = await Promise.all(users.map((user, index) => join(gatewayAt(index), user)));
    expect((await call('DELETE', 'g8')).body).toEqual({ ok: true, data: { members: 3 } });
    await emit('g8', 1);
    await settled(...clients);
    expect(clients.map(heardBy)).toEqual([[], [], []]);
    for (const [index, user] of users.entries()) await eventually(() => expect(bench.session(index, user).player.guild).toBeNull());
    expect((await call('DELETE', 'g8')).body).toMatchObject({ error: { code: 'guild/not-found' } });
    expect((await put('g8', 'p10')).body).toMatchObject({ error: { code: 'guild/not-found' } });
    for (const client of clients) client[Symbol.dispose]();
  });
});

describe('a change that died after its commit', () => {
  it('is made true by whoever repeats it', async () => {
    await found('g9');
    using client = await join(gatewayAt(1), 'p13');
    const { emitter } = bench.served(0).transport;
    const died = emitter.join;
    (emitter as { join: unknown }).join = () => Promise.reject(new Error('Connection is closed.'));
    expect((await put('g9', 'p13')).body).toMatchObject({ error: { code: 'server/unavailable' } });
    (emitter as { join: unknown }).join = died;
    expect((await put('g9', 'p13')).status).toBe(200);
    await emit('g9', 1);
    await eventually(() => expect(heardBy(client)).toEqual(['g9 1']));
  });

  it('also leaves the guild that the first one did not get to leave', async () => {
    await found('g15', 'g16');
    await put('g15', 'p24');
    const clients = [await join(gatewayAt(1), 'p24'), await join(gatewayAt(2), 'p24')];
    const { emitter } = bench.served(0).transport;
    const died = emitter.leave;
    (emitter as { leave: unknown }).leave = () => Promise.reject(new Error('Connection is closed.'));
    expect((await put('g16', 'p24')).body).toMatchObject({ error: { code: 'server/unavailable' } });
    (emitter as { leave: unknown }).leave = died;
    expect((await put('g16', 'p24')).body).toEqual({ ok: true, data: { from: 'g16' } });
    await emit('g15', 1);
    await emit('g16', 1);
    await settled(...clients);
    expect(clients.map(heardBy)).toEqual([['g16 1'], ['g16 1']]);
    for (const client of clients) client[Symbol.dispose]();
  });
});

describe('an end of a guild that died after its commit', () => {
  it('is made true by whoever repeats it: nobody hears the guild or is taken for a member, wherever the sockets are', async () => {
    await found('g11');
    const users = ['p16', 'p17', 'p18'];
    for (const user of users) await put('g11', user);
    const clients = await Promise.all(users.map((user, index) => join(gatewayAt(index), user)));
    const { changes } = bench.served(0);
    const died = changes.mark.bind(changes);
    changes.mark = () => Promise.reject(new Rejection('server/unavailable'));
    expect((await call('DELETE', 'g11')).body).toMatchObject({ error: { code: 'server/unavailable' } });
    changes.mark = died;
    expect((await call('DELETE', 'g11')).body).toMatchObject({ error: { code: 'guild/not-found' } });
    await emit('g11', 1);
    await settled(...clients);
    expect(clients.map(heardBy)).toEqual([[], [], []]);
    for (const [index, user] of users.entries()) await eventually(() => expect(bench.session(index, user).player.guild).toBeNull());
    for (const [index, user] of users.entries()) {
      using client = await join(gatewayAt((index + 1) % 3), user);
      expect(client.payloads('session:welcome')[0]).toMatchObject({ guild: null });
    }
    for (const client of clients) client[Symbol.dispose]();
  });
});

describe('a guild that is founded again while its end is being told', () => {
  it('keeps the members that it takes in', async () => {
    await found('g12');
    await put('g12', 'p20');
    using client = await join(gatewayAt(1), 'p20');
    const { emitter } = bench.served(0).transport;
    const leave = emitter.leave;
    (emitter as { leave: unknown }).leave = async (...args: Parameters<typeof leave>) => {
      (emitter as { leave: unknown }).leave = leave;
      await found('g12');
      await put('g12', 'p20', 2);
      await eventually(() => bench.served(1).reread.waiting === 0 && bench.session(1, 'p20').player.guild?.id === 'g12');
      return leave(...args);
    };
    expect((await call('DELETE', 'g12')).status).toBe(200);
    await eventually(() => expect(bench.session(1, 'p20').socket.rooms.has(room('g12'))).toBe(true));
    await settled(client);
    await emit('g12', 1);
    await eventually(() => expect(heardBy(client)).toEqual(['g12 1']));
  });
});

describe('requests for guilds', () => {
  it('are refused when they make no sense', async () => {
    for (const [method, path, body] of [
      ['PUT', 'a b', { name: 'x' }], ['PUT', 'x'.repeat(65), { name: 'x' }], ['PUT', 'g1', { name: '' }], ['PUT', 'g1', { name: 'a\u0000' }], ['PUT', 'g1', {}],
      ['PUT', 'g1/members/p1', { rank: 'a b' }], ['PUT', `g1/members/${'x'.repeat(200)}`, { rank: 'a' }], ['PUT', 'g1?realm=x', { name: 'x' }],
    ] as const) expect(await call(method, path, body)).toMatchObject({ status: 400, body: { error: { code: 'payload/invalid' } } });
  });
});
