/** How often a scene is played at most. */
const triesMax = 8;

/**
 * Plays a scene until it was in time: it resolves to whether it was as quick as what it shows wants it to be, and checks nothing else where it was
 * not. A machine that stands still for a second in the middle of it says nothing about the product.
 */
export async function untilInTime(scene: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < triesMax; tries += 1) if (await scene()) return;
  throw new Error(`the scene was too slow ${triesMax} times`);
}

/** Measures from now on: whether less than this has passed. */
export function within(limitMs: number): () => boolean {
  const since = performance.now();
  return () => performance.now() - since < limitMs;
}
