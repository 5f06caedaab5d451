const tickMs = 10;
const countedPerTickMsMax = 25;

/**
 * Resolves to how long `work` took, in milliseconds that this process was awake: of a stall of the process or of the whole machine only
 * one tick counts. For bounds on waits; work of this thread itself stalls it, and hardly counts.
 *
 * @example expect(await awakeMsOf(() => database.close())).toBeLessThan(4_000);
 */
export async function awakeMsOf(work: () => Promise<unknown>): Promise<number> {
  let awakeMs = 0;
  let countedAtMs = performance.now();
  const count = (): void => {
    const nowMs = performance.now();
    awakeMs += Math.min(nowMs - countedAtMs, countedPerTickMsMax);
    countedAtMs = nowMs;
  };
  const timer = setInterval(count, tickMs);
  try {
    await work();
    count();
    return awakeMs;
  } finally {
    clearInterval(timer);
  }
}
