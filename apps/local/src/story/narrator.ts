import { say } from '../terminal.ts';

/** Prints the steps of a story: when each ended, how long it took, what happened. */
export interface Narrator {
  /** Runs a step; what it resolves to is its sentence. */
  tell<T>(work: () => Promise<T>, sentence: (result: T) => string): Promise<T>;
}

export function createNarrator(write: (line: string) => void = say): Narrator {
  const startedAt = performance.now();
  return {
    tell: async (work, sentence) => {
      const stepAt = performance.now();
      const result = await work();
      const now = performance.now();
      write(`${((now - startedAt) / 1_000).toFixed(3).padStart(8)} s  ${`+${(now - stepAt).toFixed(0)} ms`.padStart(9)}  ${sentence(result)}`);
      return result;
    },
  };
}
