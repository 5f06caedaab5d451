import { createEmitter, RealtimeService } from '@skirmish/emitter';
import type { Emitter } from '@skirmish/emitter';
import type { RealmId, RoomName, UserId, ZoneId } from '@skirmish/protocol';
import { roomOf } from '@skirmish/protocol';
import type { Redis } from '@skirmish/redis';
import { createRedis, keysOf, whenReady } from '@skirmish/redis';
import type { RedisServer } from '@skirmish/testing';
import { eventually, timePasses, uniqueRealm } from '@skirmish/testing';
import type { Socket } from 'socket.io';
import type { BareGateway } from './_bare-gateway.ts';
import type { Farewell } from './_presence-client.ts';
import { giveUp, PresenceClient } from './_presence-client.ts';
import type { Happening } from './_presence-happenings.ts';
import { clientsMax, emittedRooms, hereRooms, pick, slots, zones } from './_presence-happenings.ts';
import { kick } from './_presence-kick.ts';
import type { Slot } from './_presence-slot.ts';
import { disturb, renewals, startSlot } from './_presence-slot.ts';
import type { Truth } from './_presence-truth.ts';
import { differences, roomsOfSocket } from './_presence-truth.ts';

/** Three gateways, a few users with up to two clients each, and what must be true of them. */
export class PresenceWorld implements AsyncDisposable {
  readonly #server: RedisServer;
  readonly redis: Redis;
  readonly #realm = uniqueRealm() as RealmId;
  readonly #slots: (Slot | null)[] = Array.from({ length: slots }, () => null);
  readonly #forgotten = new Set<string>();
  readonly #starting = new Set<number>();
  readonly #clients = new Map<string, { client: PresenceClient; slot: Slot }>();
  readonly #chains = new Map<number, Promise<void>>();
  readonly emitter: Emitter;
  #outages = Promise.resolve();
  /** What was said to everybody: position and text. */
  readonly #said = new Map<string, string>();
  #named = 0;
  #shaken = false;

  private constructor(server: RedisServer) {
    this.#server = server;
    this.redis = createRedis({ url: server.url, name: 'presence', role: 'command' });
    this.emitter = createEmitter({ redis: this.redis, realm: this.#realm, epochGraceMs: 0 });
  }

  static async start(server: RedisServer): Promise<PresenceWorld> {
    const world = new PresenceWorld(server);
    await whenReady(world.redis);
    for (let slot = 0; slot < slots; slot += 1) await world.#startGateway(slot);
    return world;
  }

  get clients(): PresenceClient[] {
    return [...this.#clients.values()].map(({ client }) => client);
  }

  get living(): BareGateway[] {
    return this.#slots.filter((slot) => slot !== null).map(({ gateway }) => gateway);
  }

  /** What must be true now. */
  truth(): Truth {
    const of = (gateway: BareGateway) => [...this.#clients.values()].filter((each) => each.slot.gateway === gateway).map(({ client }) => client.truth);
    return { gateways: this.living.map((gateway) => ({ gateway, sockets: of(gateway) })) };
  }

  /** Lets a round happen, waits until all is true, and shows by probes that everybody hears what is meant for it, once. */
  async play(round: readonly Happening[]): Promise<void> {
    this.#shaken = round.some(({ what }) => ['flush', 'restart', 'freeze', 'swallow', 'cut-redis'].includes(what));
    const bounced = new Set<PresenceClient>();
    const before = new Map(this.clients.map((client) => [client, client.closings.length]));
    const happened = await Promise.allSettled(round.map((happening) => this.#later(happening, bounced)));
    const failed = happened.find((each) => each.status === 'rejected');
    if (failed) throw failed.reason;
    if (this.#shaken) await renewals(this.redis, keysOf(this.#realm), () => this.living);
    await this.settle();
    for (const client of this.#shaken ? [] : this.clients) {
      if (!bounced.has(client) && client.closings.length > (before.get(client) ?? 0)) throw new Error(`${client.userId} was disconnected (${client.closings.join()}) and nothing had happened to it`);
    }
    await this.probe();
  }

  /** Rejects with every difference when the truth does not come about. */
  async settle(timeoutMs = 20_000): Promise<void> {
    if (this.living.length === 0) await this.#startGateway(0);
    await eventually(async () => {
      const away = this.clients.filter((client) => !client.isConnected).map(({ userId }) => `${userId} is not connected`);
      const found = [...away, ...await differences(this.redis, this.emitter, this.truth())];
      for (const pid of this.#forgotten) if (await this.redis.exists(keysOf(this.#realm).session(pid))) found.push(`the session ${pid} of one who was disconnected can be resumed`);
      if (found.length > 0) throw new Error(`\n${found.join('\n')}`);
    }, { timeoutMs, intervalMs: 100, what: 'the truth' });
  }

  async probe(): Promise<void> {
    const rooms = [roomOf.realm, ...emittedRooms, ...hereRooms, ...new Set(this.clients.map(({ userId }) => roomOf.user(userId)))];
    const name = `probe-${(this.#named += 1)}`;
    const probes = [...rooms.map((room) => [room]), rooms.slice(1)];
    for (const [i, target] of probes.entries()) await this.emitter.emit({ rooms: target }, 'app:probe', { name: `${name}-${i}` });
    await this.emitter.emit({ rooms: [roomOf.realm] }, 'app:probe', { name });
    await eventually(() => this.clients.every(({ probes: heard }) => heard.has(name)), { timeoutMs: 10_000, what: 'the last probe at everybody' });
    for (const client of this.clients) {
      client.checkProbes(name, probes);
      client.checkSaid(this.#said);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.clients) client.end('disconnect');
    await Promise.all(this.#slots.map(async (slot) => {
      await slot?.gateway.stop();
      await slot?.proxy.close();
    }));
    this.redis.disconnect();
  }

  async #later(happening: Happening, bounced: Set<PresenceClient>): Promise<void> {
    const happens = async (): Promise<void> => {
      await timePasses(happening.afterMs, 'the distance between two happenings');
      await this.#happen(happening, bounced);
    };
    if (!('user' in happening)) return happens();
    const chained = (this.#chains.get(happening.user) ?? Promise.resolve()).then(happens);
    this.#chains.set(happening.user, chained.catch(() => undefined));
    return chained;
  }

  async #happen(happening: Happening, bounced: Set<PresenceClient>): Promise<void> {
    switch (happening.what) {
      case 'connect': case 'give-up': case 'end': case 'bounce': case 'join-here': case 'leave-here':
        return this.#happenToClient(happening, bounced);
      case 'join': case 'leave': case 'travel': case 'kick':
        return this.#happenToUser(happening);
      case 'crash': case 'stop': case 'start': case 'freeze': case 'swallow': case 'cut-redis': case 'hold':
        return this.#happenToGateway(happening);
      case 'say': {
        const name = `${happening.named}-${(this.#named += 1)}`;
        const { id } = await this.emitter.emit({ rooms: [roomOf.realm] }, 'app:said', { name });
        this.#said.set(id, name);
        return;
      }
      case 'flush': case 'restart':
        // One after the other: there is one server.
        this.#outages = this.#outages.then(async () => {
          if (happening.what === 'flush') await eventually(() => this.redis.flushall(), { what: 'Redis to be flushed' });
          else {
            await this.#server.kill();
            await this.#server.restart();
          }
        });
        return this.#outages;
      default:
        happening satisfies never;
    }
  }

  async #happenToClient(happening: Extract<Happening, { what: 'connect' | 'give-up' | 'end' | 'bounce' | 'join-here' | 'leave-here' }>, bounced: Set<PresenceClient>): Promise<void> {
    const userId = `u${happening.user}` as UserId;
    const own = this.#of(userId);
    if (happening.what === 'connect' || happening.what === 'give-up') {
      const slot = this.#slots.filter((each) => each !== null).at(happening.slot % Math.max(this.living.length, 1));
      if (!slot || own.length >= clientsMax) return;
      const known = own[0];
      const rooms = happening.what === 'connect' ? happening.rooms.map((room) => pick([...emittedRooms, ...hereRooms], room)) : emittedRooms;
      const zone = known ? known.zone : pick(zones, happening.what === 'connect' ? happening.zone : 0);
      await (happening.what === 'connect' ? this.#connect(slot, { userId, rooms, zone }, happening.waits) : giveUp(slot.gateway.url, { userId, rooms, zone }, happening.ms));
      return;
    }
    const client = own[happening.client % own.length];
    if (!client) return;
    if (happening.what === 'end') this.#remove(client, happening.how);
    else if (happening.what === 'bounce') {
      bounced.add(client);
      client.bounce();
    } else {
      const room = pick(hereRooms, happening.room);
      const joins = happening.what === 'join-here';
      if (joins) client.rooms.add(room);
      else client.rooms.delete(room);
      const socket = this.#newestSocketOf(client);
      await (joins ? socket?.join(room) : socket?.leave(room));
    }
  }

  /** The truth first, then its announcement: whoever connects meanwhile reads the one and may miss the other. */
  async #happenToUser(happening: Extract<Happening, { what: 'join' | 'leave' | 'travel' | 'kick' }>): Promise<void> {
    const userId = `u${happening.user}` as UserId;
    const own = this.#of(userId);
    if (happening.what === 'kick') {
      for (const client of own) client.gone = true;
      await kick(new RealtimeService(this.emitter, this.redis), { userId, own, isThere: (client) => this.clients.includes(client), forgotten: this.#forgotten });
      for (const client of own) this.#remove(client, 'disconnect');
    } else if (happening.what === 'travel') {
      const zone = pick(zones, happening.zone);
      for (const client of own) {
        const from = client.zone;
        client.zone = zone;
        await this.#seat(client, from).catch(() => { client.bounce(); });
      }
    } else {
      const room = pick(emittedRooms, happening.room);
      const joins = happening.what === 'join';
      for (const client of own) {
        if (joins) client.rooms.add(room);
        else client.rooms.delete(room);
      }
      await this.emitter[happening.what]({ rooms: [roomOf.user(userId)] }, [room]);
    }
  }

  async #happenToGateway(happening: Extract<Happening, { what: 'crash' | 'stop' | 'start' | 'freeze' | 'swallow' | 'cut-redis' | 'hold' }>): Promise<void> {
    const index = happening.slot % slots;
    const slot = this.#slots[index];
    if (happening.what === 'start') return slot || this.#starting.has(index) ? undefined : this.#startGateway(index);
    if (!slot) return;
    if ('ms' in happening || happening.what === 'cut-redis') return disturb(slot, happening);
    this.#slots[index] = null;
    // Without any gateway nobody would begin an epoch, and emissions wait for one.
    const heir = this.living.length + this.#starting.size === 0 ? this.#startGateway((index + 1) % slots) : null;
    // Its Redis never hears of it again: to all others it was killed here.
    if (happening.what === 'crash') await slot.proxy.close();
    for (const [name, each] of this.#clients) {
      if (each.slot !== slot) continue;
      each.client.end('cut');
      this.#clients.delete(name);
    }
    await slot.gateway.stop();
    if (happening.what === 'stop') await slot.proxy.close();
    await heir;
  }

  readonly #of = (userId: UserId): PresenceClient[] => this.clients.filter((client) => client.userId === userId);

  #slotOf(client: PresenceClient): Slot | undefined {
    return [...this.#clients.values()].find((each) => each.client === client)?.slot;
  }

  async #seat(client: PresenceClient, from: ZoneId | null): Promise<void> {
    const transport = this.#slotOf(client)?.gateway.transport;
    const socket = this.#newestSocketOf(client);
    if (!transport || !socket) return;
    if (client.zone !== null) await transport.enterZone(socket.id, client.zone);
    else if (from !== null) await transport.leaveZone(socket.id, from);
  }

  /**
   * As its gateway knows it. A client learns its id later: what it is told in between would reach neither the socket, which has
   * arrived, nor `#correct`, which was called at the arrival.
   */
  #newestSocketOf(client: PresenceClient): Socket | undefined {
    const sockets = this.#slotOf(client)?.gateway.nsp.sockets.values() ?? [];
    return [...sockets].findLast((socket) => this.#clientOf(socket) === client);
  }

  async #connect(slot: Slot, of: { userId: UserId; rooms: readonly RoomName[]; zone: ZoneId | null }, waits: boolean): Promise<void> {
    const name = `client-${(this.#named += 1)}`;
    const client = new PresenceClient(slot.gateway.url, { ...of, name });
    this.#clients.set(name, { client, slot });
    if (waits) await eventually(() => client.isConnected || !this.clients.includes(client), { timeoutMs: 15_000, what: `${name} of ${of.userId} to connect` });
  }

  #remove(client: PresenceClient, how: Farewell): void {
    for (const [name, each] of this.#clients) if (each.client === client) this.#clients.delete(name);
    client.end(how);
  }

  async #startGateway(index: number): Promise<void> {
    this.#starting.add(index);
    const slot = await startSlot(this.#server.port, this.#realm, (socket) => this.#readAgain(socket));
    this.#slots[index] = slot;
    this.#starting.delete(index);
    slot.gateway.nsp.on('connection', (socket) => { this.#correct(slot.gateway, socket); });
  }

  #clientOf(socket: Socket): PresenceClient | undefined {
    return this.#clients.get((socket.handshake.auth as { client: string }).client)?.client;
  }

  /** Where a connection is to be, as of after its registration. */
  async #readAgain(socket: Socket): Promise<RoomName[]> {
    await timePasses(Math.random() * 20, 'what happens before the second reading');
    const client = this.#clientOf(socket);
    const rooms = client ? roomsOfSocket(client.truth) : [roomOf.realm];
    await timePasses(Math.random() * 20, 'what happens between it and the arrival');
    return rooms;
  }

  /** What changed between the second reading and the turn in which the socket arrived. */
  #correct({ transport }: BareGateway, socket: Socket): void {
    const client = this.#clientOf(socket);
    if (!client) return;
    for (const room of hereRooms) {
      if (client.rooms.has(room)) void socket.join(room);
      else void socket.leave(room);
    }
    const { zone } = socket.handshake.auth as { zone: ZoneId | null };
    if (client.zone === zone) return;
    const seated = client.zone !== null ? transport.enterZone(socket.id, client.zone) : zone !== null ? transport.leaveZone(socket.id, zone) : Promise.resolve();
    seated.catch(() => { socket.conn.close(); });
  }
}
