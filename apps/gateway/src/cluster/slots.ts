import { Rejection } from '@skirmish/protocol';

/** Lets at most `max` tasks run at a time; the others wait in their order, for `waitMsMax` at most, then they are refused with `server/busy`. */
export class Slots {
  readonly #max: number;
  readonly #waitMsMax: number;
  #taken = 0;
  #waiting: (() => void)[] = [];

  constructor(max: number, waitMsMax: number) {
    this.#max = max;
    this.#waitMsMax = waitMsMax;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#taken >= this.#max) await this.#turn();
    else this.#taken += 1;
    try {
      return await task();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#taken -= 1;
    }
  }

  /** Resolves with the slot of whoever ended. */
  async #turn(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<undefined>();
    const take = (): void => { resolve(undefined); };
    this.#waiting.push(take);
    const timer = setTimeout(() => {
      this.#waiting = this.#waiting.filter((each) => each !== take);
      reject(new Rejection('server/busy'));
    }, this.#waitMsMax);
    try {
      await promise;
    } finally {
      clearTimeout(timer);
    }
  }
}
