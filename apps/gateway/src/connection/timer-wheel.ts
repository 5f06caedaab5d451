const slotMs = 1_000;

/**
 * Many deadlines with one timer: keys in slots of a second, each key at most once. `tick` answers what is due, never early and at most
 * a second late.
 */
export class TimerWheel<Key> {
  readonly #slots = new Map<number, Set<Key>>();
  readonly #slotOf = new Map<Key, number>();
  #next: number;

  constructor(nowMs: number) {
    this.#next = Math.floor(nowMs / slotMs);
  }

  get size(): number {
    return this.#slotOf.size;
  }

  /** Sets the deadline of a key, in place of one that it may have. */
  schedule(key: Key, atMs: number): void {
    this.cancel(key);
    const slot = Math.max(Math.ceil(atMs / slotMs), this.#next);
    const keys = this.#slots.get(slot) ?? new Set();
    this.#slots.set(slot, keys.add(key));
    this.#slotOf.set(key, slot);
  }

  cancel(key: Key): void {
    const slot = this.#slotOf.get(key);
    if (slot === undefined) return;
    this.#slotOf.delete(key);
    const keys = this.#slots.get(slot);
    keys?.delete(key);
    if (keys?.size === 0) this.#slots.delete(slot);
  }

  /** The keys whose deadline has come; they have none any more. */
  tick(nowMs: number): Key[] {
    const last = Math.floor(nowMs / slotMs);
    const due: Key[] = [];
    // After a pause of the process the slots that hold something are fewer than the seconds that passed.
    const slots = last - this.#next > this.#slots.size ? [...this.#slots.keys()].filter((slot) => slot <= last).sort((a, b) => a - b) : Array.from({ length: Math.max(last - this.#next + 1, 0) }, (_, i) => this.#next + i);
    for (const slot of slots) {
      for (const key of this.#slots.get(slot) ?? []) {
        this.#slotOf.delete(key);
        due.push(key);
      }
      this.#slots.delete(slot);
    }
    this.#next = Math.max(this.#next, last + 1);
    return due;
  }
}
