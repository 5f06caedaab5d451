/** What a check found. `not-run` says why nothing was looked at; it is neither a pass nor a failure. */
export type Result =
  | {
      readonly outcome: 'looked';
      /** What was looked at, in a few words with numbers. */
      readonly at: string;
      /** How many things were in order. A check that finds nothing in order and nothing wrong has looked at nothing, which is a finding. */
      readonly passed: number;
      /** One line each. */
      readonly findings: readonly string[];
    }
  | { readonly outcome: 'not-run'; readonly reason: string };

/** The repository that is looked at, and how to stop. */
export interface Surroundings {
  readonly root: string;
  readonly stop: AbortSignal;
}

/** One line of an audit. A rejection counts as a finding. */
export interface Check {
  /** One word, as `--only` takes it. */
  readonly name: string;
  readonly question: string;
  run(surroundings: Surroundings): Promise<Result>;
}

/** What was looked at, with the number of things that are in order beside the findings. */
export const looked = (at: string, passed: number, findings: readonly string[]): Result => ({ outcome: 'looked', at, passed, findings });
