import type { Acknowledgement, Party } from '@skirmish/protocol';
import { compareStreamIds, createRedis, keysOf, type RealmKeys, type Redis, whenReady } from '@skirmish/redis';
import { eventually, services, startTcpProxy, type TcpProxy, timePasses, uniqueRealm } from '@skirmish/testing';
import fc from 'fast-check';
import { type Client, join, startGateway, type TestGateway, type TestWorld } from './_gateway.ts';
import { type Command, lineOf, ordersOf, PartyModel } from './_party-model.ts';

export const userCount = 5;
const slotCount = 3;
const windowMs = 5_000;
const graceMs = 400;
const invitationMs = 2_500;

type Wish = { readonly op: Command['op']; readonly user: number; readonly other: number };
export type Step =
  /** All at once, each by another user. */
  | { readonly what: 'commands'; readonly wishes: readonly Wish[] }
  | { readonly what: 'drop' | 'bounce' | 'comeBack'; readonly user: number; readonly slot: number }
  | { readonly what: 'crash'; readonly slot: number }
  | { readonly what: 'passWindow' | 'passInvitation' };

const user = fc.nat(userCount - 1);
const wish = fc.record<Wish>({ op: fc.constantFrom('create', 'invite', 'invite', 'invite', 'accept', 'accept', 'accept', 'decline', 'leave', 'kick', 'promote'), user, other: user });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 16, arbitrary: fc.record({ what: fc.constant('commands' as const), wishes: fc.uniqueArray(wish, { minLength: 1, maxLength: 3, selector: (each) => each.user }) }) },
  { weight: 3, arbitrary: fc.record({ what: fc.constantFrom('drop' as const, 'bounce' as const, 'comeBack' as const, 'comeBack' as const), user, slot: fc.nat(slotCount - 1) }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('crash' as const), slot: fc.nat(slotCount - 1) }) },
  { weight: 1, arbitrary: fc.constantFrom<Step>({ what: 'passWindow' }, { what: 'passInvitation' }) },
);
/** Most histories begin with a party, so that something can happen to it. */
export const history = fc.array(step, { minLength: 12, maxLength: 22, size: 'max' }).map((steps): Step[] => [
  { what: 'commands', wishes: [{ op: 'create', user: 0, other: 0 }, { op: 'create', user: 3, other: 0 }] },
  { what: 'commands', wishes: [{ op: 'invite', user: 0, other: 1 }, { op: 'invite', user: 3, other: 1 }] },
  { what: 'commands', wishes: [{ op: 'invite', user: 0, other: 2 }, { op: 'accept', user: 1, other: 0 }] },
  ...steps,
]);

interface Slot {
  readonly gateway: TestGateway;
  readonly proxy: TcpProxy;
}

interface Player {
  readonly userId: string;
  readonly client: Client;
  slot: Slot;
  /** Since when it is away, milliseconds of this process; null while it is connected. */
  goneAtMs: number | null;
}

/** Three gateways, five users, and the model of their parties. */
export class PartyWorld implements AsyncDisposable {
  readonly #world: TestWorld;
  readonly #realm = uniqueRealm();
  readonly #keys: RealmKeys = keysOf(this.#realm as never);
  readonly #redis: Redis = createRedis({ url: services().redisUrl, name: 'party-world', role: 'command' });
  readonly #slots: Slot[] = [];
  readonly #players: Player[] = [];
  #model = new PartyModel();
  #commands = 0;

  private constructor(world: TestWorld) {
    this.#world = world;
  }

  static async start(world: TestWorld): Promise<PartyWorld> {
    const parties = new PartyWorld(world);
    await whenReady(parties.#redis);
    for (let slot = 0; slot < slotCount; slot += 1) parties.#slots.push(await parties.#startSlot());
    for (let n = 0; n < userCount; n += 1) {
      const slot = parties.#slots[n % slotCount]!;
      parties.#players.push({ userId: `p${n + 1}`, client: await join(slot.gateway, `p${n + 1}`), slot, goneAtMs: null });
    }
    return parties;
  }

  async play(what: Step): Promise<void> {
    await this.#untilCertain(what);
    switch (what.what) {
      case 'commands': await this.#command(what.wishes); break;
      case 'drop': await this.#drop(this.#players[what.user]!); break;
      case 'bounce': await this.#bounce(this.#players[what.user]!, what.slot); break;
      case 'comeBack': await this.#comeBack(this.#players[what.user]!, what.slot); break;
      case 'crash': await this.#crash(what.slot); break;
      case 'passWindow': await this.#passWindow(); break;
      case 'passInvitation': await this.#passInvitations(); break;
    }
    await eventually(() => this.#check(), { timeoutMs: 10_000, what: `the truth after ${JSON.stringify(what)}` });
  }

  /** Everybody leaves; nothing of a party may be left then. */
  async end(): Promise<void> {
    for (const player of this.#players) if (player.goneAtMs !== null) await this.#comeBack(player, 0);
    for (const { client } of this.#players) await client.ask('party:leave', { commandId: 'end' });
    const left = async (): Promise<string[]> => {
      const names = await this.#redis.keys(`${this.#keys.prefix}*part*`);
      const lasting = await Promise.all(names.map(async (name) => ((await this.#redis.pttl(name)) === -1 ? [name] : [])));
      return lasting.flat();
    };
    await eventually(async () => {
      const names = await left();
      if (names.length > 0) throw new Error(names.join());
    }, { timeoutMs: 10_000, what: 'no key of a party' });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { client } of this.#players) client[Symbol.dispose]();
    for (const { gateway, proxy } of this.#slots) {
      await gateway[Symbol.asyncDispose]();
      await proxy.close();
    }
    this.#redis.disconnect();
  }

  async #startSlot(): Promise<Slot> {
    const proxy = await startTcpProxy({ targetPort: Number(new URL(services().redisUrl).port) });
    const gateway = await startGateway(this.#world, {
      REALMS: this.#realm, REDIS_URL: `redis://127.0.0.1:${proxy.port}`, RATE_LIMIT_SCALE: '1000', RENEW_INTERVAL_MS: '200', LOG_LEVEL: 'warn',
      RESUME_WINDOW_MS: String(windowMs), PRESENCE_GRACE_MS: String(graceMs), PARTY_INVITATION_MS: String(invitationMs), PARTY_SWEEP_MS: '50',
    });
    return { gateway, proxy };
  }

  /** Time that is about to change something changes it first, so that the model knows what is true during the step. */
  async #untilCertain({ what }: Step): Promise<void> {
    const now = performance.now();
    const patienceMs = what === 'crash' ? 0 : 1_500;
    if (this.#players.some(({ goneAtMs }) => goneAtMs !== null && now - goneAtMs > patienceMs)) await this.#passWindow();
    const slow = what !== 'commands';
    const oldest = Math.max(0, ...this.#model.parties.flatMap(({ invited }) => [...invited.values()].map((sinceMs) => performance.now() - sinceMs)));
    if (oldest > (slow ? 0 : invitationMs - 1_000)) await this.#passInvitations();
  }

  async #command(wishes: readonly Wish[]): Promise<void> {
    // Invitations are at least as old as this.
    const nowMs = performance.now();
    const commands = wishes.filter(({ user: index }) => this.#players[index]!.goneAtMs === null).map((each) => this.#commandOf(each));
    const asked = commands.map(async (command) => {
      const { client } = this.#players.find(({ userId }) => userId === command.user)!;
      const { op, user: _user, ...payload } = command;
      return client.ask<{ party?: Party }>(`party:${op}`, { commandId: `c${(this.#commands += 1)}`, ...('target' in payload ? { userId: payload.target } : payload) });
    });
    const answers = await Promise.all(asked);
    const lateMs = performance.now() - invitationMs;
    // In a step that took long, invitations may have ended before a command came to them, or not.
    const ended = this.#model.clone();
    ended.expire((sinceMs) => sinceMs <= lateMs);
    const isLate = this.#model.parties.some(({ invited }) => [...invited.values()].some((sinceMs) => sinceMs <= lateMs));
    const orders = ordersOf(commands.map((command, i) => [command, answers[i]!] as const));
    const fitting = [this.#model, ...(isLate ? [ended] : [])].flatMap((before) => orders.map((order) => [before, order] as const)).flatMap(([before, order]) => {
      const model = before.clone();
      const fits = order.every(([command, answer]) => model.do(command, answer.ok ? (answer.data.party?.id ?? '') : '', nowMs) === outcomeOf(answer));
      return fits ? [model] : [];
    });
    const outcomes = commands.map((command, i) => `${JSON.stringify(command)} ${outcomeOf(answers[i]!)}`).join('\n');
    if (fitting.length === 0) throw new Error(`no order explains\n${outcomes}\nfrom ${this.#model.parties.map(lineOf).join(' | ')}`);
    // Orders with the same answers may end in different truths; one of them is in Redis.
    const state = await this.#stored();
    this.#model = fitting.find((model) => storedOf(model) === state) ?? fitting[0]!;
  }

  #commandOf({ op, user: index, other }: Wish): Command {
    const userId = `p${index + 1}`;
    if (op === 'create' || op === 'leave') return { op, user: userId };
    if (op === 'invite' || op === 'kick' || op === 'promote') return { op, user: userId, target: `p${other + 1}` };
    const inviting = this.#model.parties.filter(({ invited }) => invited.has(userId));
    const parties = inviting.length > 0 ? inviting : this.#model.parties;
    return { op, user: userId, partyId: parties[other % Math.max(parties.length, 1)]?.id ?? 'pt_none' };
  }

  async #drop(player: Player): Promise<void> {
    if (player.goneAtMs !== null) return;
    const { gateway } = player.slot;
    const id = player.client.socket.id ?? '';
    (player.client.socket.io.engine as { close(): void }).close();
    await eventually(() => gateway.gateway.realms[0]!.sessions.get(id) === undefined, { what: 'the end of a socket' });
    player.goneAtMs = performance.now();
    this.#model.away.add(player.userId);
  }

  async #bounce(player: Player, slot: number): Promise<void> {
    if (player.goneAtMs !== null) return;
    const before = this.#players.filter((each) => each !== player && each.goneAtMs === null).map(({ client }) => [client, client.payloads('party:updated').length] as const);
    const began = performance.now();
    await this.#drop(player);
    await this.#comeBack(player, slot);
    if (performance.now() - began > graceMs / 2) return;
    await timePasses(graceMs, 'a grace in which nothing may be told');
    for (const [client, count] of before) if (client.payloads('party:updated').length !== count) throw new Error('a short absence was shown');
  }

  async #comeBack(player: Player, index: number): Promise<void> {
    if (player.goneAtMs === null) return;
    const { client } = player;
    const welcomes = client.payloads('session:welcome').length;
    player.slot = this.#slots[index]!;
    (client.socket.io as unknown as { uri: string }).uri = player.slot.gateway.url;
    client.socket.connect();
    await eventually(() => client.payloads('session:welcome').length > welcomes, { timeoutMs: 10_000, what: 'the welcome' });
    player.goneAtMs = null;
    this.#model.away.delete(player.userId);
  }

  async #crash(index: number): Promise<void> {
    const slot = this.#slots[index]!;
    const hit = this.#players.filter((player) => player.slot === slot && player.goneAtMs === null);
    // Its Redis never hears of it again: to all others it was killed here.
    await slot.proxy.close();
    for (const player of hit) await this.#drop(player);
    await slot.gateway[Symbol.asyncDispose]();
    this.#slots[index] = await this.#startSlot();
    const isGone = async ({ userId }: Player): Promise<boolean> => (await this.#redis.exists(this.#keys.user(userId as never))) === 0;
    await eventually(async () => (await Promise.all(hit.map(isGone))).every(Boolean), { timeoutMs: 15_000, what: 'the dead to be gone' });
    for (const player of hit) player.goneAtMs = performance.now();
  }

  async #passWindow(): Promise<void> {
    this.#model.passWindow();
    await eventually(async () => (await this.#stored()) === storedOf(this.#model), { timeoutMs: windowMs + 5_000, intervalMs: 50, what: 'the window to be over' });
  }

  async #passInvitations(): Promise<void> {
    // It takes so long that the window of those who are away may end meanwhile.
    if (this.#model.away.size > 0) await this.#passWindow();
    await timePasses(invitationMs + 50, 'invitations that end');
    this.#model.expire(() => true);
  }

  /** Leaders and members in Redis. */
  async #stored(): Promise<string> {
    const ids = await this.#redis.zrange(this.#keys.parties, '0', '-1');
    const parties = await Promise.all(ids.map(async (id) => JSON.parse((await this.#redis.get(this.#keys.party(id as never))) ?? 'null') as { leaderId: string; members: { userId: string }[] } | null));
    return parties.flatMap((party, i) => (party ? [`${ids[i]} ${lineOf({ leader: party.leaderId, members: party.members.map(({ userId }) => userId) })}`] : [])).sort().join(' | ');
  }

  /** Throws unless Redis, the rooms of the sockets and what the clients were told agree with the model. */
  async #check(): Promise<void> {
    same('Redis', await this.#stored(), storedOf(this.#model));
    for (const { userId } of this.#players) same(`the party of ${userId}`, (await this.#redis.get(this.#keys.partyOf(userId as never))) ?? 'none', this.#model.partyOf(userId)?.id ?? 'none');
    for (const player of this.#players.filter(({ goneAtMs }) => goneAtMs === null)) {
      const own = this.#model.partyOf(player.userId);
      const rooms = [...(player.slot.gateway.gateway.realms[0]!.sessions.of(player.userId as never).at(-1)?.socket.rooms ?? [])].filter((room) => room.startsWith('party:'));
      same(`rooms of ${player.userId}`, rooms.join(), own ? `party:${own.id}` : '');
      const told = toldTo(player);
      same(`told to ${player.userId}`, told ? shownOf(told) : 'none', own ? shownAs(own, this.#model.away) : 'none');
    }
  }
}

function same(what: string, actual: string, expected: string): void {
  if (actual !== expected) throw new Error(`${what}: ${actual} instead of ${expected}`);
}

const storedOf = (model: PartyModel): string => model.parties.map((party) => `${party.id} ${lineOf(party)}`).sort().join(' | ');
const shownAs = ({ id, leader, members }: { id: string; leader: string; members: readonly string[] }, away: ReadonlySet<string>): string => `${id} ${leader}: ${members.map((each) => (away.has(each) ? `(${each})` : each)).join(' ')}`;
const shownOf = ({ id, leaderId, members }: Party): string => `${id} ${leaderId}: ${members.map(({ userId, online }) => (online ? userId : `(${userId})`)).join(' ')}`;

function outcomeOf(answer: Acknowledgement<{ party?: Party }>): string {
  if (!answer.ok) return answer.error.code;
  const { party } = answer.data;
  return party ? lineOf({ leader: party.leaderId, members: party.members.map(({ userId }) => userId) }) : 'done';
}

/** The party that a client believes to be in, by its events alone; throws when their positions do not grow. */
function toldTo({ userId, client }: Player): Party | null {
  let party: Party | null = null;
  let position = '0-0';
  for (const { event, args: [payload, at] } of client.heard as { event: string; args: [{ party: Party | null; partyId?: string }, string?] }[]) {
    if (event === 'session:welcome') {
      ({ party } = payload);
      position = at ?? position;
    } else if (event.startsWith('party:')) {
      if (at === undefined || compareStreamIds(at, position) <= 0) throw new Error(`${userId} heard ${event} at ${at} after ${position}`);
      position = at;
      if (event === 'party:updated' && payload.party) party = after(party, payload.party, userId);
      if (event === 'party:disbanded' && party?.id === payload.partyId) party = null;
    }
  }
  return party;
}

/** What a user's party is after it heard of one: a party without him is the end of his own, and nothing to him otherwise. */
function after(own: Party | null, heard: Party, userId: string): Party | null {
  if (heard.members.some((member) => member.userId === userId)) return heard;
  return own?.id === heard.id ? null : own;
}
