import { type ClientEventName, clientEventNames } from '@skirmish/protocol';

/** Scores at which something follows, in strikes. */
export interface Thresholds {
  readonly warnAt: number;
  readonly disconnectAt: number;
  readonly banAt: number;
}

export type Step = 'warn' | 'disconnect' | 'ban';

/**
 * What follows when the strikes of a user rise from `before` to `after`: the most severe step between, or null. A warning is given once on the way up;
 * disconnect and ban come back at every multiple, so whoever goes on is met again, and so is one whose step was lost with its gateway.
 */
export function stepFor(before: number, after: number, { warnAt, disconnectAt, banAt }: Thresholds): Step | null {
  const crosses = (every: number): boolean => Math.floor(after / every) > Math.floor(before / every);
  if (crosses(banAt)) return 'ban';
  if (crosses(disconnectAt)) return 'disconnect';
  return before < warnAt && after >= warnAt ? 'warn' : null;
}

/** A score after a time in which nothing was added. */
export function faded(score: number, forMs: number, decayPerMinute: number): number {
  return Math.max(0, score - (Math.max(0, forMs) * decayPerMinute) / 60_000);
}

/** Stands for all features of a user together, and for what belongs to none. */
export const allFeatures = '';

/** Never muted: all together, and the sessions, whose mute would keep a token from being refreshed. */
export const neverMuted: readonly string[] = [allFeatures, 'session'];

const features: ReadonlyMap<ClientEventName, string> = new Map(clientEventNames.map((event) => [event, event.slice(0, event.indexOf(':'))]));

/** The part of an event's name before the colon; makes no new text. */
export function featureOf(event: ClientEventName): string {
  return features.get(event) ?? allFeatures;
}
