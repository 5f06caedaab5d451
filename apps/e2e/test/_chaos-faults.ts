import { eventually, timePasses } from '@skirmish/testing';
import { expect } from 'vitest';
import { gatewayOf, hasRecord, type ChaosRun, type ChaosWorld } from './_chaos-world.ts';
import type { GatewayHandle } from './_cluster.ts';
import type { Traveller } from './_traveller.ts';

/** Resolves to those it hurt, when all of them are back and hear events again. */
export type Fault = (run: ChaosRun) => Promise<readonly Traveller[]>;

const awayMsMax = 40_000;

/** Connects all, lets all but the last into the party, and waits until everybody hears something. */
export async function gather({ travellers, join, hear }: ChaosRun): Promise<void> {
  for (const traveller of travellers) await traveller.player.connect();
  await join(travellers.slice(0, -1));
  await hear(travellers, 15);
}

/** Those whose sockets the gateway holds; fails when there are none, or one of them has no record to resume from. */
export async function victimsOn({ world, travellers }: ChaosRun, gateway: GatewayHandle): Promise<Traveller[]> {
  const places = await Promise.all(travellers.map((traveller) => gatewayOf(world, traveller)));
  const victims = travellers.filter((_traveller, n) => places[n] === gateway.incarnation);
  expect(victims.length, 'clients on the gateway').toBeGreaterThan(0);
  await standRecords(world, victims);
  return victims;
}

export async function standRecords(world: ChaosWorld, victims: readonly Traveller[]): Promise<void> {
  const records = await Promise.all(victims.map((victim) => hasRecord(world, victim)));
  expect(records, 'records that stand in Redis').toEqual(victims.map(() => true));
}

/** Resolves when each has been welcomed `welcomes` times. */
export async function back(victims: readonly Traveller[], welcomes: number): Promise<void> {
  await eventually(() => {
    const away = victims.filter(({ recovered }) => recovered.length < welcomes);
    if (away.length > 0) throw new Error(`still away: ${away.map(({ userId }) => userId).join(', ')}`);
  }, { timeoutMs: awayMsMax, what: `welcome ${welcomes} of everybody` });
}

/** A gateway of the world that takes connections; the faults take turns with them. */
function newest({ cluster }: ChaosWorld): GatewayHandle {
  const gateway = cluster.gateways.findLast(({ process }) => process.isRunning());
  if (gateway === undefined) throw new Error('no gateway is left');
  return gateway;
}

async function withoutGateway(run: ChaosRun, end: (gateway: GatewayHandle) => Promise<unknown>): Promise<readonly Traveller[]> {
  const { world, hear } = run;
  await gather(run);
  const gateway = newest(world);
  const victims = await victimsOn(run, gateway);
  await end(gateway);
  await back(victims, 2);
  await hear(run.travellers, 15);
  const left = world.cluster.gateways.filter(({ process }) => process.isRunning());
  await world.use([...left, await world.cluster.addGateway()]);
  return victims;
}

/** nginx goes on to send connections to the dead one until it notices by itself. */
const killed: Fault = (run) => withoutGateway(run, ({ process }) => process.kill());

const drained: Fault = (run) => withoutGateway(run, async ({ process }) => {
  expect(await process.stop(), 'exit code of an ordered stop').toBe(0);
});

/** Both ends believe in the connection until their heartbeats fail. */
const cutWithoutNotice: Fault = async (run) => {
  await gather(run);
  const victims = run.travellers.slice(0, 3);
  await standRecords(run.world, victims);
  for (const { proxy } of victims) proxy.strand();
  await back(victims, 2);
  await run.hear(run.travellers, 15);
  return victims;
};

/** Drops the victims in the turn of these welcomes, before the client has seen anything after it. */
async function droppedAt(run: ChaosRun, welcomes: readonly number[]): Promise<readonly Traveller[]> {
  const { world, travellers, join, hear } = run;
  const victims = travellers.slice(0, 3);
  const others = travellers.slice(3);
  for (const traveller of others) await traveller.player.connect();
  await join(others.slice(0, -1));
  await hear(others, 10);
  const records: Promise<boolean>[] = [];
  for (const victim of victims) {
    victim.onWelcome((welcome) => {
      if (!welcomes.includes(welcome)) return;
      records.push(hasRecord(world, victim));
      victim.drop();
    });
  }
  await Promise.all(victims.map(({ player }) => player.connect()));
  await back(victims, welcomes.length + 1);
  expect(await Promise.all(records), 'records that stand in Redis').toEqual(records.map(() => true));
  await join(victims);
  await hear(travellers, 15);
  return victims;
}

const droppedAfterConnect: Fault = (run) => droppedAt(run, [1]);

const droppedAfterResume: Fault = (run) => droppedAt(run, [1, 2]);

/** The faults after which nobody has to wait for a frozen process. */
export const quickFaults: Readonly<Record<string, Fault>> = {
  'a gateway is killed': killed,
  'a gateway stops in order': drained,
  'the connection is cut without notice': cutWithoutNotice,
  'the connection drops right after the connect, before any other event': droppedAfterConnect,
  'the connection drops right after the welcome of a resume': droppedAfterResume,
};

/** Environment of gateways whose clients notice a frozen process, and of those whose clients do not. */
export const heartbeats = {
  short: { PING_INTERVAL_MS: '1000', PING_TIMEOUT_MS: '5000' },
  long: { PING_INTERVAL_MS: '25000', PING_TIMEOUT_MS: '20000' },
} as const;

/**
 * Freezes gateways for 20 s. Clients of the first ones move on to the others meanwhile, those of the second ones stay and learn nothing; both
 * find their gateway awake and condemned afterwards. Resolves to both kinds of victims.
 */
export async function frozenFor20s(run: ChaosRun, moving: readonly GatewayHandle[], staying: readonly GatewayHandle[]) {
  const { world, travellers, hear } = run;
  await gather(run);
  const frozen = [...moving, ...staying];
  const victimsOf = async (gateways: readonly GatewayHandle[]) => (await Promise.all(gateways.map((gateway) => victimsOn(run, gateway)))).flat();
  const [movers, stayers] = [await victimsOf(moving), await victimsOf(staying)];
  const before = frozen.map(({ incarnation }) => incarnation);
  for (const { process } of frozen) process.pause();
  const thaw = timePasses(20_000, 'the gateways are frozen for 20 s');
  // What watches the gateways takes them out of the load balancer, which by itself would not notice.
  await world.use(world.cluster.gateways.filter((gateway) => !frozen.includes(gateway)));
  await back(movers, 2);
  await thaw;
  expect(stayers.filter(({ player }) => player.disconnects.length > 0), 'those who stayed').toEqual([]);
  for (const { process } of frozen) process.resume();
  await back(stayers, 2);
  await eventually(() => frozen.every(({ incarnation }, n) => incarnation !== before[n]), { timeoutMs: 15_000, what: 'new incarnations' });
  await hear(travellers, 15);
  await world.use(world.cluster.gateways);
  return { movers, stayers };
}
