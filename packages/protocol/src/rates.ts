import type { ClientEventName } from './client-events.ts';

export interface Rate {
  readonly ratePerSecond: number;
  /** How many may come at once after a pause. */
  readonly burst: number;
  /** Events of one bucket count together. */
  readonly bucket: string;
  /** Counted for each user, or for each user and channel. */
  readonly scope: 'user' | 'channel';
  /** Where set, surplus is coalesced to the newest, and only a rate above this counts as a fault. */
  readonly strikePerSecond?: number;
  /** Counted over all gateways together, and not only on each of them. */
  readonly cluster?: true;
}

const otherwisePerSecond = 20;

const exceptions: Readonly<Partial<Record<ClientEventName, Partial<Rate>>>> = {
  'chat:send': { ratePerSecond: 10, burst: 20, cluster: true },
  'chat:typing': { ratePerSecond: 1 / 3, burst: 1, scope: 'channel' },
  'character:move': { ratePerSecond: 10, burst: 10, strikePerSecond: 60 },
  'character:emote': { ratePerSecond: 1 / 2, burst: 1 },
  'combat:act': { ratePerSecond: 20, burst: 20 },
  'combat:start': { ratePerSecond: 2, burst: 2, cluster: true },
  'party:data': { ratePerSecond: 50, burst: 50 },
};
const party: Partial<Rate> = { ratePerSecond: 5, burst: 5, bucket: 'party' };

/** The default limit of a client event per user; a gateway multiplies both numbers by `RATE_LIMIT_SCALE`. */
export function defaultRateOf(event: ClientEventName): Rate {
  const rate = exceptions[event] ?? (event.startsWith('party:') ? party : {});
  return { ratePerSecond: otherwisePerSecond, burst: otherwisePerSecond, bucket: event, scope: 'user', ...rate };
}
