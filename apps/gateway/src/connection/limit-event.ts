import { type ClientEventName, type ClientPayload, type Rate, Rejection, type UserId } from '@skirmish/protocol';
import type { Call } from '../context.ts';
import { featureOf } from '../limits/ladder.ts';
import type { TokenBuckets } from './token-buckets.ts';

/**
 * The steady rate of an event and its burst, on this gateway, and the mute of its feature; where surplus is coalesced, only what is above the strike
 * rate is refused. Asks nobody. What is above its rate is a strike, also during a mute.
 * @throws Rejection `rate/limited`, `chat/muted`
 */
export function limitHere({ realm, session, event }: Call, rate: Rate, payload: ClientPayload<ClientEventName>): void {
  const { mutes, strikes } = realm.gateway;
  const nowMs = Date.now();
  const retryAfterMs = waitOf(realm.gateway.buckets, session.userId, rate, payload, nowMs);
  if (retryAfterMs > 0) strikes.count(session.userId, featureOf(event), 1);
  refuse(event, retryAfterMs, mutes.leftMs(session.userId, featureOf(event), nowMs));
}

function waitOf(buckets: TokenBuckets, userId: UserId, rate: Rate, payload: ClientPayload<ClientEventName>, nowMs: number): number {
  const { bucket, scope, strikePerSecond: strike, allChannelsPerSecond: all } = rate;
  if (scope === 'channel' && 'channel' in payload) {
    const waitMs = all === undefined ? 0 : buckets.take(userId, bucket, { ratePerSecond: all, burst: all }, nowMs);
    const { kind, id } = payload.channel;
    return waitMs > 0 ? waitMs : buckets.take(userId, `${bucket} ${kind} ${id}`, rate, nowMs);
  }
  return buckets.take(userId, bucket, strike === undefined ? rate : { ratePerSecond: strike, burst: strike }, nowMs);
}

/**
 * The same over all gateways, for the rates that are counted there.
 * @throws Rejection `rate/limited`, `chat/muted`
 */
export async function limitInCluster({ realm, session, event }: Call, rate: Rate): Promise<void> {
  if (!rate.cluster) return;
  const { retryAfterMs, mutedMs } = await realm.clusterLimits.take(session.userId, event, rate);
  if (retryAfterMs > 0) realm.gateway.strikes.count(session.userId, featureOf(event), 1);
  refuse(event, retryAfterMs, mutedMs);
}

function refuse(event: ClientEventName, retryAfterMs: number, mutedMs: number): void {
  if (mutedMs > 0) throw new Rejection(event === 'chat:send' || event === 'chat:typing' ? 'chat/muted' : 'rate/limited', { retryAfterMs: Math.max(mutedMs, retryAfterMs) });
  if (retryAfterMs > 0) throw new Rejection('rate/limited', { retryAfterMs });
}
