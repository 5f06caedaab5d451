/** How much later than they should the timers of this process came, summed up: what a machine that stands still or is busy took away. */
export interface LostTime extends Disposable {
  readonly ms: number;
}

const tickMs = 10;

/** Begins to measure, until it is disposed. */
export function startLostTime(): LostTime {
  let lostMs = 0;
  let last = performance.now();
  const look = (): void => {
    const now = performance.now();
    lostMs += Math.max(0, now - last - tickMs);
    last = now;
  };
  const timer = setInterval(look, tickMs);
  return {
    get ms() {
      // What is late right now counts too.
      look();
      return lostMs;
    },
    [Symbol.dispose]: () => { clearInterval(timer); },
  };
}
