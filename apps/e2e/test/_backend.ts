import { randomBytes } from 'node:crypto';
import { createEmitter, RealtimeService, type ServiceAction, type ServiceRole } from '@skirmish/emitter';
import type { IncarnationId, RealmId, UserId, ZoneId } from '@skirmish/protocol';
import { keysOf, type Redis, whenReady } from '@skirmish/redis';
import type { Cluster } from './_cluster.ts';

/** A backend in TypeScript, with Redis of its own; `actions` is what its audit was told. */
export async function backendOf(cluster: Cluster, role: ServiceRole): Promise<{ service: RealtimeService; actions: ServiceAction[] }> {
  const redis = cluster.command();
  await whenReady(redis);
  const actions: ServiceAction[] = [];
  const audit = async (action: ServiceAction): Promise<void> => { actions.push(action); };
  return { service: new RealtimeService(createEmitter({ redis, realm: cluster.realm, epochGraceMs: 200 }), redis, { role, audit }), actions };
}

export interface HttpAnswer {
  readonly status: number;
  readonly body: { readonly ok: boolean; readonly data?: Record<string, unknown>; readonly error?: { readonly code: string; readonly retryAfterMs?: number } };
}

/** One call of the service API of a gateway. */
export async function callGateway(cluster: Cluster, gatewayIndex: number, token: string, path: string, body?: object): Promise<HttpAnswer> {
  const response = await fetch(`${cluster.gateways[gatewayIndex % cluster.gateways.length]?.url ?? ''}${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as HttpAnswer['body'] };
}

export interface Crowd {
  readonly users: readonly UserId[];
  readonly zones: readonly ZoneId[];
}

/** Registers users with two sockets each and a seat in one of the zones, in the form in which gateways write them. */
export async function registerCrowd(redis: Redis, realm: RealmId, incarnations: readonly string[], count: number, zoneCount = 40): Promise<Crowd> {
  const keys = keysOf(realm);
  const users = Array.from({ length: count }, (_, n) => `crowd|${n}` as UserId);
  const zones = Array.from({ length: zoneCount }, (_, n) => `crowded-${n}` as ZoneId);
  for (let from = 0; from < count; from += 1_000) {
    const batch = redis.pipeline();
    for (const [offset, user] of users.slice(from, from + 1_000).entries()) {
      const n = from + offset;
      const incarnation = (incarnations[n % incarnations.length] ?? 'none') as IncarnationId;
      const zoneKey = keys.roster(zones[n % zoneCount] ?? ('' as ZoneId));
      for (const connectedAtMs of [1_700_000_000_000 + n, 1_700_000_100_000 + n]) {
        const socketId = randomBytes(15).toString('base64url');
        batch.hset(keys.user(user), socketId, JSON.stringify({ v: 1, gateway: incarnation, connectedAtMs, device: 'pc' }));
        batch.hset(zoneKey, `crowd-${n}`, JSON.stringify({ v: 1, incarnation, socketId, status: 'online' }));
      }
    }
    await batch.exec();
  }
  return { users, zones };
}

/** The 99th of 100 of the times that `ask` took, one after the other, milliseconds. */
export async function p99Of(count: number, ask: (n: number) => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let n = 0; n < count; n += 1) {
    const begun = performance.now();
    await ask(n);
    times.push(performance.now() - begun);
  }
  return times.sort((a, b) => a - b)[Math.floor(count * 0.99)] ?? Infinity;
}
