/**
 * A time limit that looks at the network once more before it ends something: after a pause of this process its timers come first, and what has
 * arrived meanwhile is read after them.
 */
export class TimeLimit {
  #timer: NodeJS.Timeout | undefined;
  #look: NodeJS.Immediate | undefined;

  /** Begins anew: `onOver` is called after `ms`, unless the limit is set or cleared before. */
  set(ms: number, onOver: () => void): void {
    this.clear();
    this.#timer = setTimeout(() => { this.#look = setImmediate(onOver); }, ms);
  }

  clear(): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#look);
  }
}
