import { type ClientEventName, type ClientPayload, type Rate, Rejection } from '@skirmish/protocol';
import type { Call } from '../context.ts';
import { featureOf } from '../limits/ladder.ts';

/**
 * The steady rate of an event and its burst, on this gateway, and the mute of its feature; where surplus is coalesced, only what is above the strike
 * rate is refused. Asks nobody. What is above its rate is a strike, also during a mute.
 * @throws Rejection `rate/limited`, `chat/muted`
 */
export function limitHere({ realm, session, event }: Call, rate: Rate, payload: ClientPayload<ClientEventName>): void {
  const { buckets, mutes, strikes } = realm.gateway;
  const name = rate.scope === 'channel' && 'channel' in payload ? `${rate.bucket} ${payload.channel.kind} ${payload.channel.id}` : rate.bucket;
  const strike = rate.strikePerSecond;
  const bounds = strike === undefined ? rate : { ratePerSecond: strike, burst: strike };
  const nowMs = Date.now();
  const retryAfterMs = buckets.take(session.userId, name, bounds, nowMs);
  if (retryAfterMs > 0) strikes.count(session.userId, featureOf(event), 1);
  refuse(event, retryAfterMs, mutes.leftMs(session.userId, featureOf(event), nowMs));
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
