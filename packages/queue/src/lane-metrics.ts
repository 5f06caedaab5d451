import type { Metrics } from '@skirmish/observability';

/** What the lanes report; one call per business event, so that a log line and a counter never part. */

export type PushOutcome = 'pushed' | 'repeated' | 'differs' | 'full' | 'unavailable';
export type StepOutcome = 'done' | 'rule-error' | 'infrastructure' | 'timeout' | 'unreadable' | 'dead';
export type SweepOutcome = 'rung' | 'unlocked' | 'failed';

export interface LaneMetrics {
  pushed(kind: string, outcome: PushOutcome): void;
  /** A push whose doorbell could not be rung; the sweeper rings it. */
  ringLost(): void;
  stepped(kind: string, outcome: StepOutcome, durationMs: number): void;
  /** From push to the start of the first try. */
  waited(kind: string, durationMs: number): void;
  /** Another worker had taken the lane while a step ran. */
  lost(): void;
  stalled(): void;
  swept(outcome: SweepOutcome): void;
  depth(lanes: number, dead: number): void;
  error(source: 'queue' | 'worker' | 'sweeper' | 'timer'): void;
}

/** The metrics of one queue in the process's registry; without a registry nothing is counted. */
export function createLaneMetrics(metrics: Metrics | undefined, queue: string): LaneMetrics {
  if (!metrics) return noLaneMetrics;
  const count = <const Label extends string>(name: string, help: string, labels: readonly Label[]) => metrics.counter({ name, help, labels });
  const pushes = count('lane_pushes_total', 'Commands offered to lanes', ['queue', 'kind', 'outcome']);
  const rings = count('lane_rings_lost_total', 'Doorbells that could not be rung with their push', ['queue']);
  const steps = count('lane_steps_total', 'Runs of a step by how they ended', ['queue', 'kind', 'outcome']);
  const lost = count('lane_lost_total', 'Steps after which another worker had the lane', ['queue']);
  const stalls = count('lane_stalls_total', 'Doorbells taken over from a worker that had gone', ['queue']);
  const sweeps = count('lane_sweeps_total', 'What the sweeper did', ['queue', 'outcome']);
  const errors = count('lane_errors_total', 'Errors of the connection to the queue', ['queue', 'source']);
  const durations = { labels: ['queue', 'kind'] } as const;
  const seconds = metrics.histogram({ name: 'lane_step_seconds', help: 'Time of one run of a step', ...durations });
  const waits = metrics.histogram({ name: 'lane_wait_seconds', help: 'From push to the first run of the step', ...durations });
  const lanes = metrics.gauge({ name: 'lane_waiting_lanes', help: 'Lanes that hold commands', labels: ['queue'] });
  const dead = metrics.gauge({ name: 'lane_dead_commands', help: 'Commands in the dead list', labels: ['queue'] });
  return {
    pushed: (kind, outcome) => pushes.inc({ queue, kind, outcome }),
    ringLost: () => rings.inc({ queue }),
    stepped: (kind, outcome, durationMs) => {
      steps.inc({ queue, kind, outcome });
      if (outcome !== 'dead' && outcome !== 'unreadable') seconds.observe({ queue, kind }, durationMs / 1000);
    },
    waited: (kind, durationMs) => waits.observe({ queue, kind }, durationMs / 1000),
    lost: () => lost.inc({ queue }),
    stalled: () => stalls.inc({ queue }),
    swept: (outcome) => sweeps.inc({ queue, outcome }),
    depth: (waiting, given) => {
      lanes.set({ queue }, waiting);
      dead.set({ queue }, given);
    },
    error: (source) => errors.inc({ queue, source }),
  };
}

const ignore = (): void => undefined;

const noLaneMetrics: LaneMetrics = {
  pushed: ignore,
  ringLost: ignore,
  stepped: ignore,
  waited: ignore,
  lost: ignore,
  stalled: ignore,
  swept: ignore,
  depth: ignore,
  error: ignore,
};
