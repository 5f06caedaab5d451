import { createDatabase, createMailbox, type Database, type Mailbox } from '@skirmish/database';
import { createEmitter, RealtimeService } from '@skirmish/emitter';
import { type RealmId, Rejection, roomOf, type UserId } from '@skirmish/protocol';
import { createRedis, keysOf, type Redis, whenReady } from '@skirmish/redis';
import { eventually, services } from '@skirmish/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MailDelivery } from '../src/mailbox/deliver.ts';
import { clientOf, connected, join, startGateway, startWorld, type TestGateway, type TestWorld, tokenFor } from './_gateway.ts';

let world: TestWorld;
let gateway: TestGateway;
let other: TestGateway;
let database: Database;
let mailbox: Mailbox;
let redis: Redis;
let service: RealtimeService;
beforeAll(async () => {
  world = await startWorld();
  gateway = await startGateway(world);
  other = await startGateway(world, { REALMS: gateway.realm });
  database = createDatabase({ url: world.databaseUrl, poolMax: 3 });
  mailbox = createMailbox(database);
  redis = createRedis({ url: services().redisUrl, name: 'mailbox-test', role: 'command' });
  await whenReady(redis);
  service = new RealtimeService(createEmitter({ redis, realm: gateway.realm as RealmId, epochGraceMs: 100 }), redis, { mailbox });
});
afterAll(async () => {
  redis.disconnect();
  await database.close();
  await other[Symbol.asyncDispose]();
  await gateway[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

const send = (userId: string, n: number) => service.emitToUser(userId as UserId, 'app:mail', { n }, { ifOffline: 'mailbox' });
const waiting = async (userId: string): Promise<number> =>
  (await database.db.selectFrom('mailbox').select('mail_id').where('user_id', '=', userId).where('delivered_at_ms', 'is', null).execute()).length;
const numbers = (client: { payloads<T>(event: never): T[] }): number[] => client.payloads<{ n: number }>('app:mail' as never).map(({ n }) => n);

describe('mail for a user who was offline', () => {
  it('comes after the next welcome, in order, once', async () => {
    for (let n = 1; n <= 3; n += 1) expect((await send('p1', n)).outcome).toBe('mailed');
    using first = await join(gateway, 'p1');
    await eventually(() => numbers(first).length === 3);
    expect(first.heard[0]?.event).toBe('session:welcome');
    expect(numbers(first)).toEqual([1, 2, 3]);
    await eventually(async () => (await waiting('p1')) === 0);
    using second = await join(other, 'p1');
    await send('p1', 4);
    await eventually(() => numbers(first).length === 4 && numbers(second).length === 1);
    expect([numbers(first), numbers(second)]).toEqual([[1, 2, 3, 4], [4]]);
  });

  it('comes also where the gateway had read the player a moment before', async () => {
    for (const at of [gateway, other]) await join(at, 'p13').then((client) => { client[Symbol.dispose](); });
    await eventually(async () => expect(await service.isUserOnline('p13' as UserId)).toBe(false));
    expect((await send('p13', 1)).outcome).toBe('mailed');
    using client = await join(other, 'p13');
    await eventually(() => expect(numbers(client)).toEqual([1]));
  });

  it('comes once per socket that is there, when several connect to two gateways at once', async () => {
    for (let n = 1; n <= 20; n += 1) await send('p2', n);
    const clients = await Promise.all([gateway, other, gateway, other].map((at) => join(at, 'p2')));
    await eventually(async () => (await waiting('p2')) === 0);
    await service.emitToUser('p2' as UserId, 'app:mail', { n: 21 });
    await eventually(() => clients.every((client) => numbers(client).at(-1) === 21));
    for (const client of clients) {
      const heard = numbers(client);
      expect(new Set(heard).size).toBe(heard.length);
      expect(heard).toEqual([...heard].sort((a, b) => a - b));
    }
    expect(clients.some((client) => numbers(client).length === 21)).toBe(true);
    for (const client of clients) client[Symbol.dispose]();
  });

  it('is found by whoever connects at any moment of the sending', async () => {
    for (let round = 1; round <= 15; round += 1) {
      const token = await tokenFor('p3');
      const sent = send('p3', round);
      using client = clientOf(round % 2 ? gateway : other, { token });
      await Promise.all([connected(client), sent]);
      await eventually(() => numbers(client).includes(round), { what: `mail ${round}` });
      expect(numbers(client)).toEqual([round]);
      client[Symbol.dispose]();
      await eventually(async () => !(await service.isUserOnline('p3' as UserId)));
      // What was emitted to the socket that is gone is nobody's mail; what was mailed is delivered.
      await eventually(async () => expect(await waiting('p3')).toBe(0));
    }
  });

  it('of another realm stays there', async () => {
    await mailbox.put({ realm: 'elsewhere' as RealmId, userId: 'p4' as UserId, event: 'app:mail', payload: { n: 1 } });
    await send('p4', 2);
    using client = await join(gateway, 'p4');
    await eventually(() => numbers(client).length === 1);
    await eventually(async () => expect(await waiting('p4')).toBe(1));
    expect(numbers(client)).toEqual([2]);
  });

  it('whose deliverer died after the emission is emitted under the same key and heard once', async () => {
    await send('p5', 1);
    using client = await join(gateway, 'p5');
    await eventually(() => numbers(client).length === 1);
    await eventually(async () => (await waiting('p5')) === 0);
    // As the next gateway finds it: emitted, not marked.
    await database.db.updateTable('mailbox').set({ delivered_at_ms: null }).where('user_id', '=', 'p5').execute();
    using next = await join(other, 'p5');
    await eventually(async () => (await waiting('p5')) === 0);
    await service.emitToUser('p5' as UserId, 'app:mail', { n: 2 });
    await eventually(() => numbers(next).length === 1 && numbers(client).length > 1);
    expect(numbers(client)).toEqual([1, 2]);
    expect(numbers(next)).toEqual([2]);
  });

  it('costs nobody a query who has none', async () => {
    const before = await redis.exists(keysOf(gateway.realm as RealmId).room(roomOf.realm));
    expect(before).toBeLessThanOrEqual(1);
    using client = await join(gateway, 'p6');
    expect(client.socket.connected).toBe(true);
    expect(gateway.logs.filter((line) => line.includes('"mail-') && line.includes('"p6"'))).toEqual([]);
  });
});

describe('a delivery', () => {
  const session = (userId: string, mail: string[] = ['r']) => ({ userId: userId as UserId, player: { mail } }) as never;
  const realm = 'r' as RealmId;

  interface Setup {
    deliver: Mailbox['deliver'];
    isHere?: (userId: UserId) => boolean;
  }
  const deliveryOf = ({ deliver, isHere = () => true }: Setup) => {
    const reports: string[] = [];
    const emitter = { realm, emit: async () => ({ id: '1-1', repeated: false }) };
    const delivery = new MailDelivery({ emitter, mailbox: { ...mailbox, deliver }, isHere, retryAfterMs: 10, report: (event, { userId }) => { reports.push(`${event} ${String(userId)}`); } });
    return { delivery, reports };
  };

  it('is asked for only where mail waits, at most two at a time, each user once at a time', async () => {
    const asked: string[] = [];
    const open: (() => void)[] = [];
    const { delivery, reports } = deliveryOf({
      deliver: (_realm, userId) => {
        asked.push(userId);
        return new Promise((resolve) => open.push(() => { resolve(1); }));
      },
    });
    delivery.welcomed(session('none', []));
    delivery.welcomed(session('elsewhere', ['other']));
    for (const userId of ['a', 'b', 'c', 'd', 'c', 'd']) delivery.welcomed(session(userId));
    expect(asked).toEqual(['a', 'b']);
    open[0]?.();
    await eventually(() => asked.length === 3);
    open[1]?.();
    await eventually(() => asked.length === 4);
    open[2]?.();
    open[3]?.();
    await eventually(() => reports.length === 4);
    expect(asked).toEqual(['a', 'b', 'c', 'd']);
    await delivery.close();
  });

  it('is tried again while the user is here, five times', async () => {
    let tries = 0;
    const failing = deliveryOf({ deliver: async () => { tries += 1; throw new Rejection('server/unavailable'); } });
    failing.delivery.welcomed(session('a'));
    await eventually(() => failing.reports.length === 5);
    await failing.delivery.close();
    expect(tries).toBe(5);

    let here = true;
    const leaving = deliveryOf({ deliver: async () => { here = false; throw new Rejection('server/unavailable'); }, isHere: () => here });
    leaving.delivery.welcomed(session('a'));
    await eventually(() => leaving.reports.length === 1);
    await leaving.delivery.close();
    expect(leaving.reports).toEqual(['mail-failed a']);
  });

  it('ends with the gateway', async () => {
    const endless = deliveryOf({ deliver: async () => { throw new Rejection('server/unavailable'); } });
    endless.delivery.welcomed(session('a'));
    await eventually(() => endless.reports.length > 0);
    await endless.delivery.close();
    const after = endless.reports.length;
    endless.delivery.welcomed(session('b'));
    expect(endless.reports).toHaveLength(after);
  });
});

describe('an ephemeral event of a backend', () => {
  it('reaches the members of a room on all gateways, and nobody when they are gone', async () => {
    using near = await join(gateway, 'p7');
    using far = await join(other, 'p9');
    using stranger = await join(other, 'p8');
    const all = [near, far, stranger];
    const heard = (client: typeof near) => client.heard.filter(({ event }) => event.startsWith('app:')).map(({ event, args }) => `${event} ${args.length}`);
    // Subscriptions follow the rooms a moment later.
    await eventually(async () => {
      await service.emitToGuild('red' as never, 'app:guild', {}, { class: 'ephemeral' });
      return heard(near).length > 0 && heard(far).length > 0;
    });
    await eventually(async () => {
      await service.emitToUser('p8' as UserId, 'app:user', {}, { class: 'ephemeral' });
      return heard(stranger).length > 0;
    });
    await service.emitToZone('meadow' as never, 'app:zone', {}, { class: 'ephemeral' });
    await eventually(() => all.every((client) => heard(client).includes('app:zone 1')));
    expect(new Set(heard(stranger))).toEqual(new Set(['app:user 1', 'app:zone 1']));
    expect(new Set(heard(near))).toEqual(new Set(['app:guild 1', 'app:zone 1']));
    const channels = async () => (await redis.pubsub('CHANNELS', `${keysOf(gateway.realm as RealmId).volatile(roomOf.user('p8' as UserId))}*`)) as string[];
    expect(await channels()).toHaveLength(1);
    stranger[Symbol.dispose]();
    await eventually(async () => (await channels()).length === 0);
  });
});
