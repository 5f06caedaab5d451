import type { CheckResult } from '@skirmish/observability';
import type { MemoryUse } from './memory-use.ts';

export interface PressureOptions {
  readonly memory: () => MemoryUse;
  readonly loopDelayMs: () => number;
  /** Collects the garbage of the heap; called now and then while its pressure lasts. */
  readonly collect: () => void;
  /** Share of a memory limit above which there is pressure. */
  readonly memorySoftRatio: number;
  readonly loopDelayMaxMs: number;
  /** Told when pressure begins and ends. */
  readonly onChange: (kind: PressureKind, high: boolean, value: number) => void;
  readonly now?: () => number;
}

export type PressureKind = 'heap' | 'container' | 'event-loop';

/** Between two looks; the kernel and V8 answer in a fraction of a millisecond. */
const lookIntervalMs = 500;
/**
 * A figure of memory this old still decides about a newcomer. Between two looks of the timer a storm of 1,500 handshakes per
 * second with 15 KB of headers takes 16 MB, which is all that is left of 96 MB above the limit.
 */
const memoryFreshMs = 20;
/** Pressure ends below this share of what began it, at this many looks in a row: else it would come and go. */
const calmShare = 0.9;
const calmLooksMin = 4;
/** Looks between two collections while the pressure of the heap lasts. */
const collectEveryLooks = 10;

/**
 * Whether this process has more to do or to hold than it can. While it has, no handshake is taken and nothing ephemeral is
 * sent; who is connected stays, and everything critical goes on.
 */
export class Pressure {
  readonly #options: PressureOptions;
  readonly #high = new Map<PressureKind, { value: number; calmLooks: number }>();
  readonly #now: () => number;
  #looksWithFullHeap = 0;
  #memoryAtMs = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | null = null;

  constructor(options: PressureOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  /** As of the last look. */
  get isHigh(): boolean {
    return this.#high.size > 0;
  }

  /** The same for somebody who would take memory: as of now, to 20 ms. Only the timer's looks end pressure. */
  isHighForNewcomers(): boolean {
    if (!this.isHigh && this.#now() - this.#memoryAtMs >= memoryFreshMs) this.#judgeMemory();
    return this.isHigh;
  }

  start(): void {
    this.#timer ??= setInterval(() => { this.look(); }, lookIntervalMs);
  }

  stop(): void {
    if (this.#timer) clearInterval(this.#timer);
    this.#timer = null;
  }

  /** One look at all figures; the timer calls it. */
  look(): void {
    this.#judgeMemory();
    this.#collectNowAndThen();
    this.#judge('event-loop', this.#options.loopDelayMs(), this.#options.loopDelayMaxMs);
  }

  /** For the readiness of the process. */
  check(): CheckResult {
    const reasons = [...this.#high].map(([kind, { value }]) => sentences[kind](value));
    return reasons.length === 0 ? { ok: true } : { ok: false, reason: reasons.join(', ') };
  }

  #judgeMemory(): void {
    const { memory, memorySoftRatio } = this.#options;
    const { heap, container } = memory();
    this.#memoryAtMs = this.#now();
    this.#judge('heap', heap, memorySoftRatio);
    this.#judge('container', container ?? 0, memorySoftRatio);
  }

  #collectNowAndThen(): void {
    this.#looksWithFullHeap = this.#high.has('heap') ? this.#looksWithFullHeap + 1 : 0;
    if (this.#looksWithFullHeap < collectEveryLooks) return;
    this.#looksWithFullHeap = 0;
    this.#options.collect();
  }

  #judge(kind: PressureKind, value: number, max: number): void {
    const high = this.#high.get(kind);
    if (!high) {
      if (value <= max) return;
      this.#high.set(kind, { value, calmLooks: 0 });
      this.#options.onChange(kind, true, value);
      return;
    }
    high.value = value;
    high.calmLooks = value < max * calmShare ? high.calmLooks + 1 : 0;
    if (high.calmLooks < calmLooksMin) return;
    this.#high.delete(kind);
    this.#options.onChange(kind, false, value);
  }
}

const percent = (share: number): string => `${Math.round(share * 100)} %`;
const sentences: Readonly<Record<PressureKind, (value: number) => string>> = {
  heap: (share) => `the heap is ${percent(share)} full`,
  container: (share) => `the memory of the container is ${percent(share)} full`,
  'event-loop': (ms) => `the event loop is ${Math.round(ms)} ms late`,
};
