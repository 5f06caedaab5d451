import { timePasses } from '@skirmish/testing';
import type { Player } from './_player.ts';

/** Asks a gateway for its own answer every 20 ms, and notes how long each took. */
export function askOften(player: Player): { stop(): Promise<number[]> } {
  const tookMs: number[] = [];
  const stopping = new AbortController();
  const asking = (async () => {
    while (!stopping.signal.aborted) {
      const startedAt = performance.now();
      await player.ask('session:ping', { atMs: 0 });
      tookMs.push(performance.now() - startedAt);
      await timePasses(20, 'the pace of one who asks');
    }
  })();
  return {
    stop: async () => {
      stopping.abort();
      await asking;
      return tookMs;
    },
  };
}

export const percentile = (values: readonly number[], share: number): number => [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? 0;
