import { roomOf, type ZoneId } from '@skirmish/protocol';
import { compareStreamIds } from '@skirmish/redis';
import { eventually, timePasses, type TcpProxy } from '@skirmish/testing';
import { expect } from 'vitest';
import { checkJourney, flawlessJourney } from './_delivery-checker.ts';
import { startChaosWorld, type ChaosWorld } from './_chaos-world.ts';
import { Traveller } from './_traveller.ts';

const meadow = roomOf.zone('meadow' as ZoneId);
/** Of one gateway, on which a drain spreads its clients over those that stay. */
export const handshakesPerSecondMax = 300;

export interface RollingRestart {
  clients: number;
  /** Clients whose journey was not complete, single and in order, with what was wrong. */
  flawed: object[];
  reloads: number;
  resumes: number;
  /** Connections that began anew although they should have resumed. */
  notRecovered: number;
  worstGapMs: number;
  /** Most welcomes of reconnecting clients within any second. */
  reconnectsPerSecondMax: number;
  /** How long the event loop of the clients stood still at the worst: what they measure is not more exact. */
  ownStallMs: number;
  drainsMs: number[];
}

/** Replaces three gateways behind nginx one after the other, as a deployment does, while `count` plain clients hear numbered events. */
export async function restartAll(count: number, perSecond: number): Promise<RollingRestart> {
  const env = { HANDSHAKES_PER_SECOND_MAX: String(handshakesPerSecondMax), TRUSTED_PROXIES: '127.0.0.1', SOCKETS_PER_ADDRESS_MAX: '100000' };
  await using world = await startChaosWorld({ gateways: 3, players: count, env });
  const clients: Traveller[] = [];
  for (let n = 1; n <= count; n += 1) {
    const token = await world.cluster.token(`p${n}`);
    const client = new Traveller(`p${n}`, directTo(world.nginx.port), { realm: world.cluster.realm, token });
    client.memberships.push({ room: meadow, since: '0-0', until: null });
    clients.push(client);
  }
  for (let n = 0; n < count; n += 25) await Promise.all(clients.slice(n, n + 25).map((client) => client.player.connect(30_000)));
  const stall = watchStalls();
  world.traffic.start([{ room: meadow, perSecond }]);
  await eventually(() => clients.every(({ player }) => player.received.some(({ event }) => event === 'app:n')), { timeoutMs: 20_000, what: 'traffic' });
  const drainsMs: number[] = [];
  const old = [...world.cluster.gateways];
  for (const [n, gateway] of old.entries()) {
    const replacement = await world.cluster.addGateway();
    const startedAt = performance.now();
    const stopped = gateway.process.stop(30_000);
    await world.use([...old.slice(n + 1), ...world.cluster.gateways.slice(old.length)]);
    expect(await stopped, gateway.process.output().slice(-2_000)).toBe(0);
    drainsMs.push(Math.round(performance.now() - startedAt));
    expect(replacement.process.isRunning()).toBe(true);
    await eventually(() => clients.every(({ player }) => player.socket.connected), { timeoutMs: 20_000, what: 'everybody to be back' });
    await timePasses(1_000, 'a deployment takes a breath');
  }
  await world.traffic.pause();
  await everythingHeard(world, clients);
  const result = judge(world, clients, drainsMs, stall());
  for (const client of clients) client.player.close();
  return result;
}

async function everythingHeard({ traffic }: ChaosWorld, clients: readonly Traveller[]): Promise<void> {
  const last = traffic.emissions.reduce((latest, { id }) => (compareStreamIds(id, latest) > 0 ? id : latest), '0-0');
  // Whoever does not get there is named by the checker.
  await eventually(() => clients.every(({ offset }) => compareStreamIds(offset ?? '0-0', last) >= 0), { timeoutMs: 20_000 }).catch(() => undefined);
}

function judge({ traffic }: ChaosWorld, clients: readonly Traveller[], drainsMs: number[], ownStallMs: number): RollingRestart {
  const reports = clients.map((client) => ({ userId: client.userId, ...checkJourney(traffic.emissions, client.memberships, client.steps()) }));
  const flawed = reports.filter(({ userId: _, ...report }) => JSON.stringify(report) !== JSON.stringify(flawlessJourney));
  const again = clients.flatMap(({ recovered }) => recovered.slice(1));
  const welcomes = clients.flatMap(({ player }) => player.received.filter(({ event }) => event === 'session:welcome').slice(1).map(({ atMs }) => atMs)).sort((a, b) => a - b);
  return {
    clients: clients.length,
    flawed,
    reloads: reports.reduce((sum, { reloads }) => sum + reloads, 0),
    resumes: again.length,
    notRecovered: again.filter((recovered) => !recovered).length,
    worstGapMs: Math.max(...clients.map(worstGapMs)),
    reconnectsPerSecondMax: Math.max(0, ...welcomes.map((atMs, n) => welcomes.slice(n).filter((later) => later < atMs + 1_000).length)),
    ownStallMs,
    drainsMs,
  };
}

/** The longest time between two events that a client was told, in the order of their arrival. */
function worstGapMs({ player }: Traveller): number {
  const times = player.received.filter(({ event }) => event === 'app:n').map(({ atMs }) => atMs);
  return Math.max(0, ...times.slice(1).map((atMs, n) => atMs - (times[n] ?? atMs)));
}

function watchStalls(): () => number {
  let before = performance.now();
  let worstMs = 0;
  const timer = setInterval(() => {
    const now = performance.now();
    worstMs = Math.max(worstMs, now - before - 20);
    before = now;
  }, 20);
  return () => {
    clearInterval(timer);
    return Math.round(worstMs);
  };
}

/** No network of its own for each of hundreds of clients. */
function directTo(port: number): TcpProxy {
  const nothing = (): void => undefined;
  const close = (): Promise<void> => Promise.resolve();
  return { port, connections: () => 0, bytesSent: () => 0, pause: nothing, withhold: nothing, blackhole: nothing, strand: nothing, target: nothing, reset: nothing, heal: nothing, close, [Symbol.asyncDispose]: close };
}
