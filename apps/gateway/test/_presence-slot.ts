import type { RealmId, RoomName } from '@skirmish/protocol';
import type { Redis, RealmKeys } from '@skirmish/redis';
import type { TcpProxy } from '@skirmish/testing';
import { eventually, startTcpProxy, timePasses } from '@skirmish/testing';
import type { Socket } from 'socket.io';
import type { BareGateway } from './_bare-gateway.ts';
import { startBareGateway } from './_bare-gateway.ts';
import type { Happening } from './_presence-happenings.ts';

/** A gateway whose way to Redis can be disturbed. */
export interface Slot {
  gateway: BareGateway;
  proxy: TcpProxy;
}

/** Quick renewals, so that the death of a gateway is seen within a second. */
export async function startSlot(redisPort: number, realm: RealmId, readAgain?: (socket: Socket) => Promise<RoomName[]>): Promise<Slot> {
  const proxy = await startTcpProxy({ targetPort: redisPort });
  const gateway = await startBareGateway(`redis://127.0.0.1:${proxy.port}`, realm, { renewIntervalMs: 200, readBlockMs: 200 }, undefined, readAgain);
  return { gateway, proxy };
}

type Disturbance = Extract<Happening, { what: 'hold' | 'freeze' | 'swallow' } | { what: 'cut-redis' }>;

/** Lets a gateway live through a disturbance; resolves when that is over. */
export async function disturb({ gateway: { transport }, proxy }: Slot, disturbance: Disturbance): Promise<void> {
  switch (disturbance.what) {
    case 'hold':
      transport.reader.hold();
      await timePasses(disturbance.ms, 'a reader that stands still');
      transport.reader.release();
      return;
    case 'cut-redis':
      proxy.reset();
      return;
    case 'freeze': case 'swallow':
      // Nothing passes for a while: it comes late, or never.
      if (disturbance.what === 'freeze') proxy.pause();
      else proxy.blackhole();
      await timePasses(disturbance.ms, 'a gateway that hears and says nothing in Redis');
      proxy.heal();
      return;
    default:
      disturbance satisfies never;
  }
}

/**
 * Resolves when every gateway has renewed since now. Before that the others may still take one for dead that heard and said nothing for a while,
 * and its clients would go with it.
 */
export async function renewals(redis: Redis, keys: RealmKeys, living: () => readonly BareGateway[]): Promise<void> {
  const counted = async (): Promise<Map<string, number>> => {
    const records = Object.entries(await redis.hgetall(keys.gateways));
    return new Map(records.map(([id, record]) => [id, (JSON.parse(record) as { renewals: number }).renewals]));
  };
  const before = await eventually(counted);
  await eventually(async () => {
    const now = await counted();
    return living().every(({ transport }) => (now.get(transport.incarnation()) ?? -1) > (before.get(transport.incarnation()) ?? -1));
  }, { timeoutMs: 20_000, what: 'a renewal of every gateway' });
}
