import { roomOf, type ServerPayload, type ZoneId } from '@skirmish/protocol';
import type { RealmTransport } from '../cluster/realm-transport-types.ts';
import type { RealmNamespace } from '../connection/session.ts';
import { parseEphemeral } from './ephemeral.ts';
import { parsePublication } from './publication.ts';
import { ZoneState, type Claimant, type ZoneInfo } from './zone-state.ts';

export const tickIntervalMs = 100;
export const keyframeEveryTicks = 20;
/** Between two ticks, milliseconds: longer, and this process stood still, or its clock was set. */
const pauseMsMin = 1_000;

export interface ZonesOptions {
  readonly nsp: RealmNamespace;
  readonly transport: Pick<RealmTransport, 'volatile' | 'incarnation'>;
  /** Sockets that cannot follow: no ticks and nothing ephemeral until they have caught up. */
  readonly slow: ReadonlySet<string>;
  readonly dropsEphemeral: () => boolean;
  /** Told when something on a zone's channel could not be read, or a character of it. */
  readonly onUnreadable: () => void;
  readonly onPublished: () => void;
  readonly now?: () => number;
}

interface Inhabited {
  readonly state: ZoneState;
  hello: boolean;
  keyframeDue: boolean;
}

/**
 * The zones that have sessions on this gateway, and their clock: ten times a second the changes of each zone go to the other
 * gateways in one publication and to the clients here in one `zone:tick`; every two seconds both are keyframes.
 */
export class Zones {
  readonly #options: ZonesOptions;
  readonly #now: () => number;
  readonly #zones = new Map<ZoneId, Inhabited>();
  #timer: NodeJS.Timeout | null = null;
  #tick = 0;
  #tickedAtMs = 0;

  constructor(options: ZonesOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  get size(): number {
    return this.#zones.size;
  }

  start(): void {
    this.#timer ??= setInterval(() => {
      this.runTick();
    }, tickIntervalMs);
  }

  stop(): void {
    if (this.#timer) clearInterval(this.#timer);
    this.#timer = null;
    for (const id of this.#zones.keys()) this.#close(id);
  }

  of(id: ZoneId): ZoneState | null {
    return this.#zones.get(id)?.state ?? null;
  }

  enter(info: ZoneInfo, claimant: Claimant): ZoneState {
    const zone = this.#zones.get(info.id) ?? this.#open(info);
    zone.state.enter(claimant, this.#now());
    return zone.state;
  }

  leave(id: ZoneId, claimant: Claimant): void {
    const zone = this.#zones.get(id);
    if (!zone) return;
    zone.state.leave(claimant, this.#now());
    if (zone.state.isInhabited) return;
    this.#publish(zone, false);
    this.#close(id);
  }

  /** One turn of the clock; the timer calls it. */
  runTick(): void {
    this.#tick += 1;
    const nowMs = this.#now();
    const keyframe = this.#tick % keyframeEveryTicks === 0;
    // What the others said meanwhile has not been read yet: who is silent is seen with the next keyframe.
    const isAfterPause = nowMs - this.#tickedAtMs > pauseMsMin;
    this.#tickedAtMs = nowMs;
    for (const zone of this.#zones.values()) {
      if (keyframe && !isAfterPause) zone.state.sweep(nowMs);
      this.#publish(zone, keyframe || zone.keyframeDue);
      const tick = zone.state.takeTick(this.#tick, nowMs, keyframe);
      if (tick) this.#audience(zone).emit('zone:tick', tick);
    }
  }

  /** The whole zone for one newcomer, as a keyframe of its own. */
  snapshot(state: ZoneState): ServerPayload<'zone:tick'> {
    const entered = state.characters();
    return { zoneId: state.info.id, tick: this.#tick, atMs: this.#now(), moved: [], entered, left: [], keyframe: true };
  }

  #open(info: ZoneInfo): Inhabited {
    const { transport } = this.#options;
    const zone: Inhabited = { state: new ZoneState(info, () => transport.incarnation()), hello: true, keyframeDue: false };
    this.#zones.set(info.id, zone);
    transport.volatile.follow(roomOf.zone(info.id), (body) => {
      this.#receive(zone, body);
    });
    return zone;
  }

  #close(id: ZoneId): void {
    this.#zones.delete(id);
    this.#options.transport.volatile.unfollow(roomOf.zone(id));
  }

  #publish(zone: Inhabited, keyframe: boolean): void {
    const publication = zone.state.takePublication(keyframe, zone.hello);
    zone.keyframeDue = false;
    zone.hello = false;
    if (!publication) return;
    this.#options.transport.volatile.publish(roomOf.zone(zone.state.info.id), publication);
    this.#options.onPublished();
  }

  #receive(zone: Inhabited, body: unknown): void {
    const publication = parsePublication(body, this.#options.onUnreadable);
    if (publication) {
      if (publication.from === this.#options.transport.incarnation()) return;
      zone.state.receive(publication, this.#now());
      if (publication.hello) zone.keyframeDue = true;
      return;
    }
    const ephemeral = parseEphemeral(body);
    if (!ephemeral) return this.#options.onUnreadable();
    if (this.#options.dropsEphemeral()) return;
    const { event, payload, exceptRooms } = ephemeral;
    // The payload was parsed for this very event; the type of Socket.IO cannot follow that.
    const audience: { emit(event: string, payload: object): unknown } = this.#audience(zone, exceptRooms);
    audience.emit(event, payload);
  }

  /** The sockets of a zone on this gateway that can follow. */
  #audience(zone: Inhabited, exceptRooms: readonly string[] = []) {
    const { nsp, slow } = this.#options;
    return nsp.local.to(roomOf.zone(zone.state.info.id)).except([...exceptRooms, ...slow]);
  }
}
