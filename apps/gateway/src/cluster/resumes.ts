import type { Metrics } from '@skirmish/observability';
import { durationBuckets } from '@skirmish/observability';
import type { RealmId, RoomName } from '@skirmish/protocol';
import type { RealmKeys, Redis } from '@skirmish/redis';
import type { ResumeAnswer } from './directory-operations.ts';
import type { MissedEvent, Standing } from './missed-events.ts';
import { keptRooms, lostRooms, readMissed } from './missed-events.ts';
import { Slots } from './slots.ts';

/** Why a client has to load its state anew, as `session:reload` names it. */
export type ReloadReason = 'not-recoverable' | 'window-passed' | 'too-much-missed' | 'data-lost';

export interface ResumesOptions {
  realm: RealmId;
  redis: Redis;
  keys: RealmKeys;
  metrics: Metrics;
  resumeWindowMs: number;
  /** Most events, and most bytes of their JSON, that one resume may bring. */
  resumeEntriesMax: number;
  resumeBytesMax: number;
}

/** A wish to resume, with what Redis said to it. */
export interface ResumeWish {
  readonly offset: string;
  readonly position: string;
  readonly answer: ResumeAnswer;
}

export type ResumeOutcome =
  | { recovered: true; kept: RoomName[]; lost: RoomName[]; events: MissedEvent[]; bytes: number; connectedAtMs: number }
  | { recovered: false; reason: ReloadReason };

const atOnceMax = 16;
const waitMsMax = 5_000;

const reloadReasons: Readonly<Record<string, ReloadReason>> = {
  window: 'window-passed',
  entries: 'too-much-missed',
  bytes: 'too-much-missed',
  moves: 'too-much-missed',
  epoch: 'data-lost',
  floor: 'data-lost',
};

/** Brings back what sessions missed, a few at a time, and counts every outcome with its reason. */
export class Resumes {
  readonly #options: ResumesOptions;
  readonly #slots = new Slots(atOnceMax, waitMsMax);
  readonly #count: (outcome: 'recovered' | 'reload', reason: string) => void;
  readonly #seconds: (seconds: number) => void;
  readonly #replayed: (events: number) => void;

  constructor(options: ResumesOptions) {
    this.#options = options;
    const { metrics, realm } = options;
    const resumes = metrics.counter({ name: 'resumes_total', help: 'Wishes to resume by outcome', labels: ['realm', 'outcome', 'reason'] });
    const seconds = metrics.histogram({ name: 'resume_seconds', help: 'Time to read what a session missed', buckets: durationBuckets });
    const events = metrics.counter({ name: 'resumed_events_total', help: 'Missed events that were sent again', labels: ['realm'] });
    this.#count = (outcome, reason) => { resumes.inc({ realm, outcome, reason }); };
    this.#seconds = (value) => { seconds.observe(value); };
    this.#replayed = (count) => { events.inc({ realm }, count); };
  }

  /** Those that wait for their turn to read. */
  get waiting(): number {
    return this.#slots.waiting;
  }

  /** Rejects with `server/busy` when too many wait, and with the error of Redis: the client then comes again, with its session intact. */
  async settle({ answer, offset, position }: ResumeWish, standing: (room: RoomName) => Standing): Promise<ResumeOutcome> {
    if (!answer.resumed) return this.#reload(answer.reason);
    const { redis, keys, resumeWindowMs, resumeEntriesMax: entriesMax, resumeBytesMax: bytesMax } = this.#options;
    const startedAt = performance.now();
    const missed = await this.#slots.run(() => readMissed({ redis, keys, answer, offset, position, standing, entriesMax, bytesMax, resumeWindowMs }));
    this.#seconds((performance.now() - startedAt) / 1000);
    if (!missed.complete) return this.#reload(missed.reason);
    const lost = lostRooms(answer, standing);
    this.#count('recovered', 'none');
    this.#replayed(missed.events.length);
    return { recovered: true, kept: keptRooms(answer, standing), lost, events: missed.events, bytes: missed.bytes, connectedAtMs: answer.connectedAtMs };
  }

  /** Counts a wish that has not even a sound form. */
  malformed(): void {
    this.#count('reload', 'malformed');
  }

  #reload(reason: string): ResumeOutcome {
    this.#count('reload', reason);
    return { recovered: false, reason: reloadReasons[reason] ?? 'not-recoverable' };
  }
}
