import type { Acknowledgement, Party, PartyId, UserId } from '@skirmish/protocol';
import { keysOf } from '@skirmish/redis';
import { eventually } from '@skirmish/testing';
import { type Client, join } from './_gateway.ts';
import type { RoomsBench } from './_rooms.ts';

type Answer<T> = Promise<T>;

/** A player on one gateway, with the commands of parties; what is refused rejects with the code. */
export class PartyPlayer implements Disposable {
  readonly client: Client;
  readonly userId: UserId;
  static #commands = 0;

  private constructor(client: Client, userId: UserId) {
    this.client = client;
    this.userId = userId;
  }

  static async join(bench: RoomsBench, gateway: number, userId: string, options: Parameters<typeof join>[2] = {}): Promise<PartyPlayer> {
    return new PartyPlayer(await join(bench.gateways[gateway]!, userId, options), userId as UserId);
  }

  /** The newest party that it was told of, or null after the last event said that there is none. */
  get told(): Party | null {
    const parties = this.client.payloads<{ party: Party }>('party:updated');
    return parties.at(-1)?.party ?? null;
  }

  /** Its transport breaks; it does not come back by itself. Resolves when its gateway has noticed. */
  async drop(bench: RoomsBench, gateway: number): Promise<void> {
    const id = this.client.socket.id ?? '';
    this.client.socket.io.reconnection(false);
    (this.client.socket.io.engine as { close(): void }).close();
    await eventually(() => bench.served(gateway).sessions.get(id) === undefined, { what: 'the end of a socket' });
  }

  /** Comes back with its session, on this gateway; resolves to whether it was resumed. */
  async comeBack(bench: RoomsBench, gateway: number): Promise<boolean> {
    const { socket } = this.client;
    const welcomes = this.client.payloads('session:welcome').length;
    (socket.io as unknown as { uri: string }).uri = bench.gateways[gateway]!.url;
    socket.connect();
    await eventually(() => this.client.payloads('session:welcome').length > welcomes, { timeoutMs: 10_000, what: 'the welcome' });
    return socket.recovered;
  }

  /** Its welcome, the newest one. */
  get welcome(): { party: Party | null; rooms: string[]; recovered: boolean } {
    return this.client.payloads<{ party: Party | null; rooms: string[]; recovered: boolean }>('session:welcome').at(-1)!;
  }

  ask<T>(event: string, payload: object, commandId = `c${(PartyPlayer.#commands += 1)}`): Promise<Acknowledgement<T>> {
    return this.client.ask<T>(event, { commandId, ...payload });
  }

  create(commandId?: string): Answer<Party> {
    return this.#party('party:create', {}, commandId);
  }

  invite(userId: string, commandId?: string): Answer<Party> {
    return this.#party('party:invite', { userId }, commandId);
  }

  kick(userId: string, commandId?: string): Answer<Party> {
    return this.#party('party:kick', { userId }, commandId);
  }

  promote(userId: string, commandId?: string): Answer<Party> {
    return this.#party('party:promote', { userId }, commandId);
  }

  accept(partyId: PartyId, commandId?: string): Answer<Party> {
    return this.#party('party:accept', { partyId }, commandId);
  }

  async decline(partyId: PartyId, commandId?: string): Promise<void> {
    dataOf(await this.ask('party:decline', { partyId }, commandId));
  }

  async leave(commandId?: string): Promise<void> {
    dataOf(await this.ask('party:leave', {}, commandId));
  }

  [Symbol.dispose](): void {
    this.client[Symbol.dispose]();
  }

  async #party(event: string, payload: object, commandId?: string): Promise<Party> {
    return dataOf(await this.ask<{ party: Party }>(event, payload, commandId)).party;
  }
}

/** The data of an answer; throws the code of a refusal. */
function dataOf<T>(answer: Acknowledgement<T>): T {
  if (!answer.ok) throw Object.assign(new Error(answer.error.code), { path: answer.error.path });
  return answer.data;
}

/** The players of one test, who leave their parties and disconnect after it. */
export class PartyGuests {
  readonly #players: PartyPlayer[] = [];

  async enter(bench: RoomsBench, gateway: number, userId: string): Promise<PartyPlayer> {
    const player = await PartyPlayer.join(bench, gateway, userId);
    this.#players.push(player);
    return player;
  }

  async leave(): Promise<void> {
    for (const player of this.#players.splice(0)) {
      await player.leave().catch(() => undefined);
      player[Symbol.dispose]();
    }
  }
}

export const idsOf = (party: Party): string[] => party.members.map(({ userId }) => userId);

/** Lets the others into the party of the first: each is invited and accepts. Resolves when all have heard of it. */
export async function gather(leader: PartyPlayer, ...others: readonly PartyPlayer[]): Promise<Party> {
  let party = await leader.create();
  for (const other of others) {
    await leader.invite(other.userId);
    party = await other.accept(party.id);
  }
  const { members } = party;
  await eventually(() => [leader, ...others].every(({ told }) => told?.members.length === members.length), { what: 'everybody to hear of the party' });
  return party;
}

/** Resolves when nothing of parties is left in Redis but what ends by itself: memories of commands, logs. */
export async function noPartyIsLeft({ redis, gateways }: RoomsBench): Promise<void> {
  const { prefix } = keysOf(gateways[0]!.realm as never);
  await eventually(async () => {
    const kept: string[] = [];
    for (const key of await redis.keys(`${prefix}*part*`)) if ((await redis.pttl(key)) === -1) kept.push(key);
    if (kept.length > 0) throw new Error(kept.join());
  }, { what: 'no key of a party' });
}
