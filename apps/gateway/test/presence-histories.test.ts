import { createDatabase } from '@skirmish/database';
import type { PartyId, UserId } from '@skirmish/protocol';
import { roomOf } from '@skirmish/protocol';
import { createRedis, keysOf, type Redis, whenReady } from '@skirmish/redis';
import { eventually, type RedisServer, startRedis, startTcpProxy, type TcpProxy, timePasses, uniqueRealm } from '@skirmish/testing';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type Client, join, startGateway, startWorld, type TestGateway, type TestWorld } from './_gateway.ts';
import { changesHeard, membersHeard, type Statuses, watch } from './_watch-bench.ts';

const graceMs = 250;
const runs = Number(process.env['HISTORIES'] ?? 12);
const party = roomOf.party('shared' as PartyId);
/** In the forest are 12 to 14, all others in the meadow; odd ones are in one guild, even ones in the other. */
const users = ['p13', 'p14', 'p21', 'p22', 'p23'];
const watchers = ['p1', 'p2', 'p12'];
const statuses = ['online', 'away', 'busy'] as const;
const clientsMax = 3;

type Happening =
  | { what: 'connect' | 'end'; user: number; slot: number; client: number }
  | { what: 'status'; user: number; status: number }
  | { what: 'enter' | 'leave'; who: number }
  | { what: 'wait'; ms: number }
  | { what: 'crash'; slot: number };

const user = fc.nat(users.length - 1);
const happening: fc.Arbitrary<Happening> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ what: fc.constant('connect' as const), user, slot: fc.nat(2), client: fc.constant(0) }) },
  { weight: 5, arbitrary: fc.record({ what: fc.constant('end' as const), user, slot: fc.constant(0), client: fc.nat(2) }) },
  { weight: 3, arbitrary: fc.record({ what: fc.constant('status' as const), user, status: fc.nat(2) }) },
  { weight: 2, arbitrary: fc.record({ what: fc.constantFrom('enter' as const, 'leave' as const), who: fc.nat(users.length + watchers.length - 1) }) },
  { weight: 4, arbitrary: fc.record({ what: fc.constant('wait' as const), ms: fc.constantFrom(30, graceMs, 2 * graceMs) }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('crash' as const), slot: fc.integer({ min: 1, max: 2 }) }) },
);

const statusOfAnOlderConnection: Happening[] = [
  { what: 'connect', user: 0, slot: 0, client: 0 },
  { what: 'status', user: 0, status: 2 },
  { what: 'connect', user: 0, slot: 1, client: 0 },
  { what: 'end', user: 0, slot: 0, client: 1 },
];

interface Slot { gateway: TestGateway; proxy: TcpProxy; watcher: Client }
/** `order`: the newest one counts. */
interface Connected { client: Client; slot: number; order: number; status: string; inParty: boolean }

/** What has happened, as the clients know it; nothing here asks a gateway. */
class History implements AsyncDisposable {
  readonly #connected = new Map<string, Connected[]>(users.map((each) => [each, []]));
  readonly #watcherInParty = new Set<string>();
  readonly #everInParty = new Set<string>();
  readonly #known = new Map<string, Statuses>();
  #orders = 0;
  readonly #slots: (Slot | null)[];
  readonly #redis: Redis;
  readonly #keys: ReturnType<typeof keysOf>;

  constructor(slots: (Slot | null)[], redis: Redis, keys: ReturnType<typeof keysOf>) {
    this.#slots = slots;
    this.#redis = redis;
    this.#keys = keys;
  }

  async begin(): Promise<void> {
    await this.#settled();
    for (const [n, slot] of this.#slots.entries()) if (slot) this.#known.set(watchers[n]!, await watch(slot.watcher, ...users));
  }

  async happens(event: Happening): Promise<void> {
    switch (event.what) {
      case 'wait':
        return timePasses(event.ms, 'what lies between two happenings');
      case 'connect': {
        const [name, slot] = [users[event.user]!, this.#slots[event.slot]];
        const own = this.#of(name);
        if (!slot || own.length >= clientsMax) return;
        const client = await join(slot.gateway, name);
        // A status belongs to the newest connection; when a newer one comes, it is gone, also after that one.
        for (const older of own) older.status = 'online';
        own.push({ client, slot: event.slot, order: (this.#orders += 1), status: 'online', inParty: false });
        return;
      }
      case 'end': {
        const own = this.#of(users[event.user]!);
        const [ended] = own.splice(event.client % Math.max(own.length, 1), 1);
        ended?.client[Symbol.dispose]();
        return;
      }
      case 'status': {
        const newest = this.#newest(users[event.user]!);
        if (!newest) return;
        const status = statuses[event.status]!;
        const answer = await newest.client.ask('character:status', { commandId: `h-${(commands += 1)}`, status });
        if (answer.ok) newest.status = status;
        return;
      }
      case 'enter': case 'leave':
        return this.#change(event.who, event.what === 'enter');
      case 'crash':
        return this.#crash(event.slot);
      default:
        event satisfies never;
    }
  }

  /** Rejects when somebody heard something else than the truth, or what it may not know, or the same twice. */
  async check(): Promise<void> {
    await this.#settled();
    for (const [n, slot] of this.#slots.entries()) {
      if (!slot) continue;
      const name = watchers[n]!;
      for (const each of users) {
        const heard = (): string[] => changesHeard(slot.watcher).filter((change) => change.startsWith(`${each} `)).map((change) => change.slice(each.length + 1));
        const known = this.#known.get(name)![each]!;
        await eventually(() => { expect(heard().at(-1) ?? known, `${name} of ${each}, who heard ${heard().join()} after ${known}`).toBe(this.#seen(name, each)); }, { timeoutMs: 5_000 });
        [known, ...heard()].reduce((before, now) => {
          expect(now, `${name} heard the same of ${each} twice: ${heard().join()}`).not.toBe(before);
          return now;
        });
        if (!this.#mayEverShare(name, each)) expect(heard(), `${name} heard of ${each}`).toEqual([]);
        await this.#checkGuild(slot.watcher, name, each);
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const own of this.#connected.values()) for (const { client } of own.splice(0)) client[Symbol.dispose]();
    for (const each of this.#watcherInParty) await this.#slots[0]!.gateway.gateway.realms[0]!.transport.emitter.leave({ rooms: [roomOf.user(each as UserId)] }, [party]);
    this.#watcherInParty.clear();
  }

  async #checkGuild(watcher: Client, name: string, each: string): Promise<void> {
    const signs = (): string[] => membersHeard(watcher).filter((change) => change.slice(1) === each).map((change) => change.charAt(0));
    if (!sameGuild(name, each)) expect(signs(), `${name} of a stranger, ${each}`).toEqual([]);
    else await eventually(() => { expect(signs().at(-1) ?? '-', `${name} of its member ${each}: ${signs().join('')}`).toBe(this.#newest(each) ? '+' : '-'); }, { timeoutMs: 5_000 });
    expect(signs().join(''), `${name} of its member ${each}`).not.toMatch(/\+\+|--/);
  }

  #of(name: string): Connected[] {
    return this.#connected.get(name)!;
  }

  #newest(name: string): Connected | undefined {
    return this.#of(name).toSorted((a, b) => a.order - b.order).at(-1);
  }

  #seen(watcher: string, each: string): string {
    const newest = this.#newest(each);
    const shares = sameZone(watcher, each) || sameGuild(watcher, each) || (newest?.inParty === true && this.#watcherInParty.has(watcher));
    return newest && shares ? newest.status : 'offline';
  }

  #mayEverShare(watcher: string, each: string): boolean {
    return sameZone(watcher, each) || sameGuild(watcher, each) || (this.#everInParty.has(watcher) && this.#everInParty.has(each));
  }

  async #change(who: number, enters: boolean): Promise<void> {
    const name = [...users, ...watchers][who]!;
    const { emitter } = this.#slots[0]!.gateway.gateway.realms[0]!.transport;
    await emitter[enters ? 'join' : 'leave']({ rooms: [roomOf.user(name as UserId)] }, [party]);
    if (enters) this.#everInParty.add(name);
    if (!watchers.includes(name)) for (const each of this.#of(name)) each.inParty = enters;
    else if (enters) this.#watcherInParty.add(name);
    else this.#watcherInParty.delete(name);
    // Told in the order of the realm: whoever comes now comes after it.
    await eventually(() => this.#slots.every((slot) => slot?.gateway.gateway.realms[0]!.sessions.of(name as UserId).every(({ socket }) => socket.rooms.has(party) === enters) ?? true), { what: `${name} to have changed rooms` });
  }

  /** Its Redis hears no more of it, and its clients are gone. */
  async #crash(index: number): Promise<void> {
    const slot = this.#slots[index];
    if (!slot) return;
    this.#slots[index] = null;
    await slot.proxy.close();
    for (const own of this.#connected.values()) {
      for (const each of own.filter(({ slot: at }) => at === index)) each.client[Symbol.dispose]();
      own.splice(0, own.length, ...own.filter(({ slot: at }) => at !== index));
    }
    await slot.gateway[Symbol.asyncDispose]();
    this.#watcherInParty.delete(watchers[index]!);
  }

  /** Whoever is there is announced, with where and how it is, and nobody waits. */
  async #settled(): Promise<void> {
    const online = [...users.filter((each) => this.#newest(each)), ...watchers.filter((_, n) => this.#slots[n])].sort();
    await eventually(async () => {
      expect(await this.#redis.zcard(this.#keys.presenceChanged)).toBe(0);
      const announced = await this.#redis.hgetall(this.#keys.presenceAnnounced);
      expect(Object.keys(announced).sort()).toEqual(online);
      for (const each of users) {
        const newest = this.#newest(each);
        if (newest) expect(JSON.parse(announced[each]!), each).toMatchObject({ status: newest.status, rooms: (newest.inParty ? expect.stringContaining(party) : expect.not.stringContaining(party)) as string });
      }
    }, { timeoutMs: 10_000, what: 'everything to be announced' });
  }
}

const isOdd = (name: string): boolean => Number(name.slice(1)) % 2 === 1;
const inForest = (name: string): boolean => ['p12', 'p13', 'p14'].includes(name);
const sameGuild = (a: string, b: string): boolean => isOdd(a) === isOdd(b);
const sameZone = (a: string, b: string): boolean => inForest(a) === inForest(b);

/** Of all histories: a command id that comes again within ten minutes is the same command. */
let commands = 0;

it('after every history of connections, crashes, statuses and rooms each watcher and member knows the truth, and heard nothing twice and nothing that is not its business', async () => {
  await using server = await startRedis();
  await using world = await startWorld(30);
  {
    await using database = createDatabase({ url: world.databaseUrl, poolMax: 1 });
    await database.db.updateTable('characters').set({ zone_id: 'forest' }).where('user_id', 'in', ['p12', 'p13', 'p14']).execute();
  }
  const realm = uniqueRealm();
  const redis = createRedis({ url: server.url, name: 'histories', role: 'command' });
  await whenReady(redis);
  await using _redis = { [Symbol.asyncDispose]: async () => { redis.disconnect(); } };
  await using cluster = emptyCluster();
  const { slots } = cluster;
  await fc.assert(fc.asyncProperty(fc.array(happening, { minLength: 6, maxLength: 30, size: 'max' }), async (events) => {
    for (const [n, slot] of slots.entries()) slots[n] = slot ?? await startSlot(server, world, realm, watchers[n]!);
    for (const slot of slots) slot!.watcher.heard.length = 0;
    await using history = new History(slots, redis, keysOf(realm as never));
    await history.begin();
    for (const slot of slots) slot!.watcher.heard.length = 0;
    for (const event of events) await history.happens(event);
    await history.check();
  }), { numRuns: runs, endOnFailure: true, examples: [[statusOfAnOlderConnection]] });
}, 600_000);

/** Ends what runs of it, also when a history has failed. */
function emptyCluster(): { readonly slots: (Slot | null)[] } & AsyncDisposable {
  const slots: (Slot | null)[] = [null, null, null];
  const end = async (slot: Slot | null): Promise<void> => {
    slot?.watcher[Symbol.dispose]();
    await slot?.gateway[Symbol.asyncDispose]();
    await slot?.proxy.close();
  };
  return { slots, [Symbol.asyncDispose]: async () => { await Promise.all(slots.map(end)); } };
}

async function startSlot(server: RedisServer, world: TestWorld, realm: string, watcher: string): Promise<Slot> {
  const proxy = await startTcpProxy({ targetPort: server.port });
  const url = `redis://127.0.0.1:${proxy.port}`;
  const gateway = await startGateway(world, { REALMS: realm, REDIS_URL: url, QUEUE_REDIS_URL: url, PRESENCE_GRACE_MS: String(graceMs), RATE_LIMIT_SCALE: '1000', HANDSHAKES_PER_SECOND_MAX: '10000' });
  return { gateway, proxy, watcher: await join(gateway, watcher) };
}
