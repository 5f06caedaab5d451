import { fileURLToPath } from 'node:url';
import { startProcess } from '@skirmish/testing';
import type { ManagedProcess } from '@skirmish/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startCluster } from './_cluster.ts';
import type { Cluster } from './_cluster.ts';
import { outcomesOf } from './_conformance-case.ts';
import { engineCases } from './_engine-cases.ts';
import { handshakeCases } from './_handshake-cases.ts';
import { malformedCases } from './_malformed-cases.ts';
import { startNginx } from './_nginx.ts';
import type { Nginx } from './_nginx.ts';
import { socketCases } from './_socket-cases.ts';
import { upgradeCases } from './_upgrade-cases.ts';

const cases = [...handshakeCases, ...engineCases, ...upgradeCases, ...socketCases, ...malformedCases];
const limits = { pingIntervalMs: 1_500, pingTimeoutMs: 3_000, connectTimeoutMs: 4_000 };
const playersMax = 1_000;
const casesAtATime = 8;
const settings = {
  REALMS: 'main,second',
  SOCKET_CORS_ORIGIN: 'https://game.example.com',
  PING_INTERVAL_MS: String(limits.pingIntervalMs),
  PING_TIMEOUT_MS: String(limits.pingTimeoutMs),
  CONNECT_TIMEOUT_MS: String(limits.connectTimeoutMs),
};

const entry = fileURLToPath(new URL('_conformance-gateway.ts', import.meta.url));

describe('the protocols of Engine.IO and Socket.IO', () => {
  let cluster: Cluster;
  let nginx: Nginx;
  const gateways: ManagedProcess[] = [];
  /** The same rules, spoken to one gateway, and to three through a load balancer that knows no affinity. */
  const outcomes: Record<'direct' | 'balanced', Map<string, unknown>> = { direct: new Map(), balanced: new Map() };
  let players = 0;

  beforeAll(async () => {
    cluster = await startCluster({ gateways: 0, combatWorkers: 0, moderationWorkers: 0, players: playersMax });
    const env = { ...cluster.env, ...settings };
    gateways.push(...(await Promise.all([1, 2, 3].map((number) => startProcess({ name: `gateway-${number}`, entry, env })))));
    const ports = gateways.map(({ ready }) => ready.publicPort ?? 0);
    nginx = await startNginx(ports);
    const token = (): Promise<string> => cluster.token(`p${(players++ % playersMax) + 1}`);
    const areAlive = (): boolean => gateways.every((gateway) => gateway.isRunning());
    outcomes.direct = await outcomesOf(cases, { url: `http://127.0.0.1:${ports[0] ?? 0}`, ...limits, token }, casesAtATime, areAlive);
    outcomes.balanced = await outcomesOf(cases, { url: nginx.url, ...limits, token }, casesAtATime, areAlive);
  }, 300_000);
  afterAll(async () => {
    await nginx.stop();
    await Promise.all(gateways.map((gateway) => gateway.stop()));
    await cluster.stop();
  });

  it.each(cases)('$name', ({ name, expected }) => {
    expect(outcomes.direct.get(name)).toEqual(expected);
    expect(outcomes.balanced.get(name)).toEqual(expected);
  });

  it('have the same outcomes, rule by rule, direct and through the load balancer', () => {
    expect(Object.fromEntries(outcomes.balanced)).toEqual(Object.fromEntries(outcomes.direct));
    expect(outcomes.direct.size).toBe(cases.length);
  });

  it('of which the load balancer brought requests to every gateway that were for another one', async () => {
    for (const { ready } of gateways) {
      const metrics = await (await fetch(`http://127.0.0.1:${ready.internalPort ?? 0}/metrics`)).text();
      const forwarded = [...metrics.matchAll(/^skirmish_forwarded_requests_total\{[^}]*\} (\d+)$/gm)].reduce((sum, [, count]) => sum + Number(count), 0);
      expect(forwarded).toBeGreaterThan(50);
    }
  });

  it('no gateway noticed any of it: same process, no unhandled rejection, nothing logged as a fault', () => {
    for (const gateway of gateways) {
      expect(gateway.isRunning()).toBe(true);
      // A machine that stands still for a second makes Redis silent, which no client did.
      const lines = gateway.output().split('\n').filter((line) => !line.includes('connected and does not answer'));
      expect(lines.join('\n')).not.toMatch(/unhandled|a fault that nobody handled|"level":"(error|fatal)"/i);
    }
  });
});
