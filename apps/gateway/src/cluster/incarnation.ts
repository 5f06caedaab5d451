import { randomBytes } from 'node:crypto';
import type { IncarnationId } from '@skirmish/protocol';
import type { RealmKeys, Redis } from '@skirmish/redis';
import { msOfStreamId } from '@skirmish/redis';
import type { RegistryRecord, Renewal } from './registry-scripts.ts';
import { condemnScript, registerScript, renewScript, resignScript, sweepScript } from './registry-scripts.ts';

/** Why connected clients may have missed something. */
export type GapReason = 'condemned' | 'epoch' | 'revision' | 'gapped' | 'reader-lag';

export interface IncarnationOptions {
  redis: Redis;
  keys: RealmKeys;
  /** Address of the internal port, `host:port`. */
  address: string;
  version: string;
  renewIntervalMs: number;
  /** Age of a data set below which emissions are refused, milliseconds. */
  epochGraceMs: number;
  /** Renewals that an incarnation may miss, seen by a reaper whose own contact was unbroken. */
  condemnAfterTicks: number;
  /** How long inboxes keep entries, milliseconds. */
  inboxRetentionMs: number;
  position: () => string;
  revision: () => number;
  sockets: () => number;
  draining: () => boolean;
  /** Before a registration: nothing of the old one may be relied on. `gap` is null at the start. */
  onLost: (gap: GapReason | null) => void;
  /** After a registration. */
  onRegistered: (inbox: string, position: string) => void;
  /** An entry is missing in the inbox, but the registration stands. */
  onGap: (reason: GapReason) => void;
  onCondemned: (incarnation: string) => void;
  onError: (error: unknown, what: string) => void;
}

const sweepMax = 200;
/** Share of the promised silence that has to have passed in time as well: a timer may be a little early. */
const silenceShare = 0.95;

/** A fresh incarnation id: never the host name, never used again. */
export const freshIncarnation = (): IncarnationId => randomBytes(9).toString('base64url').replaceAll('_', '-') as IncarnationId;

/**
 * The life of this gateway in the registry of one realm: registers, renews, notices that it was lost or condemned, and condemns others.
 *
 * Death is a decision: an incarnation is condemned when it has not renewed for `condemnAfterTicks` renewals of ours in a row, during which
 * our own contact with Redis was unbroken. So an outage of Redis condemns nobody. Renewals out of turn (somebody announces itself) do not shorten that time.
 */
export class Incarnation {
  readonly #options: IncarnationOptions;
  #id: IncarnationId = freshIncarnation();
  #epoch = '';
  #registered = false;
  #renewedAt = 0;
  #usableAt = 0;
  /** What was seen of the others: their renewals, at how many of ours in a row it was the same, and since when. */
  #others = new Map<string, { renewals: number; ticks: number; since: number }>();
  #records = new Map<string, RegistryRecord>();
  #busy: Promise<void> | null = null;
  #stopped = false;
  #timer: NodeJS.Timeout | null = null;

  constructor(options: IncarnationOptions) {
    this.#options = options;
  }

  get id(): IncarnationId {
    return this.#id;
  }

  get registered(): boolean {
    return this.#registered;
  }

  /** What the registry said at the last renewal; outlives an outage of Redis. */
  get records(): ReadonlyMap<string, RegistryRecord> {
    return this.#records;
  }

  /** Milliseconds since the last renewal that Redis confirmed. */
  get renewedAgoMs(): number {
    return performance.now() - this.#renewedAt;
  }

  /** Milliseconds until the data set is old enough for emissions; 0 when it is. */
  get youngForMs(): number {
    return Math.max(this.#usableAt - performance.now(), 0);
  }

  /** Registers and renews once, so that the tables of others are known; rejects when Redis does not answer. */
  async start(): Promise<void> {
    await this.#register(null);
    await this.renew();
    this.#schedule();
    this.#options.redis.on('ready', this.#renewSoon);
  }

  /** One renewal; concurrent calls share it. */
  renew(): Promise<void> {
    this.#busy ??= this.#renew().finally(() => {
      this.#busy = null;
    });
    return this.#busy;
  }

  /** Renews no more by itself; {@link renew} still does. */
  rest(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#options.redis.off('ready', this.#renewSoon);
  }

  /** Leaves the registry and takes its entries along. Errors are told, not thrown: a reaper finishes what is left. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.rest();
    await this.#busy;
    if (!this.#registered) return;
    this.#registered = false;
    const { redis, keys } = this.#options;
    try {
      await resignScript.run(redis, [keys.clock], [keys.prefix, this.#id]);
      await this.#sweep(this.#id);
    } catch (error) {
      this.#options.onError(error, 'resign');
    }
  }

  readonly #renewSoon = (): void => {
    void this.renew();
  };

  #schedule(): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(() => {
      void this.renew().finally(() => {
        this.#schedule();
      });
    }, this.#options.renewIntervalMs);
  }

  async #renew(): Promise<void> {
    if (this.#stopped) return;
    try {
      if (!this.#registered) await this.#register('epoch');
      await this.#judge(await this.#askToRenew());
    } catch (error) {
      this.#others.clear();
      this.#options.onError(error, 'renew');
    }
  }

  #askToRenew(): Promise<Renewal> {
    const { redis, keys, position, revision, sockets, draining, inboxRetentionMs } = this.#options;
    const state = [position(), revision(), sockets(), draining() ? 1 : 0] as const;
    return renewScript.run(redis, [keys.clock], [keys.prefix, this.#id, this.#epoch, ...state, newEpochId(), inboxRetentionMs]);
  }

  async #judge(renewal: Renewal): Promise<void> {
    switch (renewal.state) {
      case 'ok':
        await this.#watch(renewal);
        return;
      case 'gapped':
        // The mark goes first: what is marked after it was seen needs another healing. Without a reply the next renewal finds it again.
        await this.#options.redis.srem(this.#options.keys.gapped, this.#id);
        this.#options.onGap('gapped');
        return;
      case 'dead':
        this.#id = freshIncarnation();
        await this.#registerAndRenew('condemned');
        return;
      case 'stale':
        await this.#registerAndRenew('revision');
        return;
      case 'lost':
        await this.#registerAndRenew('epoch');
        return;
      default:
        renewal satisfies never;
    }
  }

  async #registerAndRenew(gap: GapReason): Promise<void> {
    await this.#register(gap);
    // A second loss in a row is left to the next tick.
    const renewal = await this.#askToRenew();
    if (renewal.state === 'ok') await this.#watch(renewal);
    else this.#registered = false;
  }

  async #register(gap: GapReason | null): Promise<void> {
    const { redis, keys, address, version } = this.#options;
    this.#registered = false;
    this.#others.clear();
    this.#options.onLost(gap);
    await this.#sweep(this.#id);
    const args = [keys.prefix, this.#id, address, version, newEpochId(), this.#options.revision()] as const;
    const { epoch, position } = await registerScript.run(redis, [keys.clock], args);
    this.#epoch = epoch;
    this.#usableAt = performance.now() + startOf(epoch) + this.#options.epochGraceMs - msOfStreamId(position);
    this.#registered = true;
    this.#options.onRegistered(keys.inbox(this.#id), position);
  }

  async #watch(renewal: Extract<Renewal, { state: 'ok' }>): Promise<void> {
    const { renewIntervalMs, condemnAfterTicks } = this.#options;
    // After a pause of our own (outage, frozen process) we know nothing of the others' last ticks.
    const unbroken = this.renewedAgoMs < renewIntervalMs * 1.7;
    const tooSoon = this.renewedAgoMs < renewIntervalMs * 0.5;
    if (!unbroken) this.#others.clear();
    this.#records = renewal.records;
    if (!tooSoon || !unbroken) {
      this.#renewedAt = performance.now();
      await this.#reap(renewal.records, condemnAfterTicks);
    }
    for (const incarnation of renewal.condemned) await this.#sweep(incarnation);
  }

  async #reap(records: Map<string, RegistryRecord>, ticksMax: number): Promise<void> {
    const { redis, keys, renewIntervalMs } = this.#options;
    const now = this.#renewedAt;
    const silentMsMin = ticksMax * renewIntervalMs * silenceShare;
    for (const known of this.#others.keys()) if (!records.has(known)) this.#others.delete(known);
    for (const [incarnation, { renewals }] of records) {
      if (incarnation === this.#id) continue;
      const before = this.#others.get(incarnation);
      const { ticks, since } = before?.renewals === renewals ? { ticks: before.ticks + 1, since: before.since } : { ticks: 0, since: now };
      this.#others.set(incarnation, { renewals, ticks, since });
      if (ticks < ticksMax || now - since < silentMsMin) continue;
      // It has renewed meanwhile, or somebody else condemned it: then it stands in `condemned` and is swept there.
      if (!(await condemnScript.run(redis, [keys.clock], [keys.prefix, incarnation, renewals]))) continue;
      this.#options.onCondemned(incarnation);
      await this.#sweep(incarnation);
    }
  }

  async #sweep(incarnation: string): Promise<void> {
    const { redis, keys } = this.#options;
    while (!(await sweepScript.run(redis, [keys.clock], [keys.prefix, incarnation, sweepMax, incarnation === this.#id ? 'own' : 'dead'])));
  }
}

/** The second word of an epoch: when its data set began, by the clock of the Redis server. */
const startOf = (epoch: string): number => Number(epoch.split(' ')[1] ?? 0);

const newEpochId = (): string => randomBytes(9).toString('base64url');
