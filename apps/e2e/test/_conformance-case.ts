/** Where a case runs: one gateway, or a load balancer in front of several. */
export interface Target {
  readonly url: string;
  readonly pingIntervalMs: number;
  readonly pingTimeoutMs: number;
  readonly connectTimeoutMs: number;
  /** A token of a player that no other case uses. */
  token(): Promise<string>;
}

/** One rule of a protocol: what a client does, and what it has to see, whatever the way to the gateway. */
export interface Case {
  readonly name: string;
  readonly expected: unknown;
  run(target: Target): Promise<unknown>;
}

/** What happened: as `expected`, or an error as one line. */
export async function outcomeOf({ run }: Case, target: Target): Promise<unknown> {
  try {
    return await run(target);
  } catch (error) {
    return `failed: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** Runs all cases, some at a time, and answers their outcomes by name; those that a dead gateway left over have none. */
export async function outcomesOf(cases: readonly Case[], target: Target, atATime: number, isAlive: () => boolean): Promise<Map<string, unknown>> {
  const outcomes = new Map<string, unknown>();
  const waiting = [...cases];
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined && isAlive(); next = waiting.shift()) outcomes.set(next.name, await outcomeOf(next, target));
  };
  await Promise.all(Array.from({ length: atATime }, work));
  return outcomes;
}
