/** The numbers of webhooks; a test may have shorter ones. */
export interface WebhookLimits {
  /** Time for one attempt, from the first byte to the last. */
  readonly timeoutMs: number;
  /** Wait after the first failure; it doubles with each further one, with 20 % jitter. */
  readonly firstDelayMs: number;
  readonly delayMsMax: number;
  /** An event that would be tried again later than this after it happened is given up. */
  readonly retryForMs: number;
  /** Events that wait for another attempt, per realm and process; at this number no new ones are taken from the stream. */
  readonly waitingMax: number;
  /** Attempts at a time, per realm and process. */
  readonly attemptsMax: number;
  /** Time between two looks at a stream that was empty. */
  readonly pollMs: number;
  /** A sender that has not been heard of for so long loses its events to the others. */
  readonly claimAfterMs: number;
  /** Events that were given up and are remembered, per realm. */
  readonly deadMax: number;
}

export const webhookLimits: WebhookLimits = {
  timeoutMs: 5_000,
  firstDelayMs: 5_000,
  delayMsMax: 3_600_000,
  retryForMs: 86_400_000,
  waitingMax: 1_000,
  attemptsMax: 4,
  pollMs: 500,
  claimAfterMs: 30_000,
  deadMax: 1_000,
};

/** The wait after attempt `tries` (1, 2, …) has failed, milliseconds. */
export function delayAfter(tries: number, { firstDelayMs, delayMsMax }: Pick<WebhookLimits, 'firstDelayMs' | 'delayMsMax'>, random: () => number = Math.random): number {
  const delayMs = Math.min(firstDelayMs * 2 ** Math.min(tries - 1, 30), delayMsMax);
  return Math.round(delayMs * (0.8 + 0.4 * random()));
}
