/** What this process has told of each fight, so that it need not ask Redis again with every step. */
export interface ToldEvents {
  /** The highest `seq` that this process has told; 0 when it does not know. */
  upTo(combatId: string): number;
  remember(combatId: string, seq: number): void;
}

/** A memory of the `fightsMax` fights that were told last. Forgetting costs one repeated emission, which Redis ignores. */
export function createToldEvents(fightsMax = 10_000): ToldEvents {
  const seqs = new Map<string, number>();
  return {
    upTo: (combatId) => seqs.get(combatId) ?? 0,
    remember: (combatId, seq) => {
      seqs.delete(combatId);
      seqs.set(combatId, seq);
      if (seqs.size <= fightsMax) return;
      const [oldest] = seqs.keys();
      if (oldest !== undefined) seqs.delete(oldest);
    },
  };
}
