/** Most tasks that may wait for their turn on one socket. */
export const turnsWaitingMax = 1_024;

/**
 * Runs tasks one after the other, in the order of their arrival: without it a player's second command could reach the lane
 * before the first. Tasks must not reject.
 */
export class Turns {
  readonly #waiting: (() => Promise<void>)[] = [];
  #running = false;

  /** Answers false when too many tasks wait already. */
  take(task: () => Promise<void>): boolean {
    if (this.#waiting.length >= turnsWaitingMax) return false;
    this.#waiting.push(task);
    if (!this.#running) void this.#run();
    return true;
  }

  async #run(): Promise<void> {
    this.#running = true;
    for (let task = this.#waiting.shift(); task; task = this.#waiting.shift()) await task();
    this.#running = false;
  }
}
