/** One mistake in the environment, with the sentence that repairs it. */
export interface Mistake {
  /** Name of the environment variable. */
  readonly name: string;
  /** What is wrong and what to set instead; never contains a secret. */
  readonly sentence: string;
}

/** All mistakes of one configuration; its message is a list with one line for each. */
export class ConfigError extends Error {
  readonly mistakes: readonly Mistake[];

  constructor(mistakes: readonly Mistake[]) {
    const count = mistakes.length === 1 ? '1 mistake' : `${mistakes.length} mistakes`;
    super([`${count} in the configuration:`, ...mistakes.map(({ sentence }) => `  - ${sentence}`)].join('\n'));
    this.name = 'ConfigError';
    this.mistakes = mistakes;
  }
}
