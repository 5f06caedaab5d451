import { fileURLToPath } from 'node:url';
import { startProcess } from '@skirmish/testing';
import type { ManagedProcess } from '@skirmish/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startCluster } from './_cluster.ts';
import type { Cluster } from './_cluster.ts';
import { outcomesOf } from './_conformance-case.ts';
import type { Target } from './_conformance-case.ts';
import { engineCases } from './_engine-cases.ts';
import { handshakeCases } from './_handshake-cases.ts';
import { malformedCases } from './_malformed-cases.ts';
import { socketCases } from './_socket-cases.ts';
import { upgradeCases } from './_upgrade-cases.ts';

const cases = [...handshakeCases, ...engineCases, ...upgradeCases, ...socketCases, ...malformedCases];
const limits = { pingIntervalMs: 1_500, pingTimeoutMs: 3_000, connectTimeoutMs: 4_000 };
const playersMax = 500;

describe('the protocols of Engine.IO and Socket.IO', () => {
  let cluster: Cluster;
  const gateways: ManagedProcess[] = [];
  let outcomes: Map<string, unknown>;
  let players = 0;

  beforeAll(async () => {
    cluster = await startCluster({ gateways: 0, combatWorkers: 0, moderationWorkers: 0, players: playersMax });
    const env = {
      ...cluster.env,
      REALMS: 'main,second',
      SOCKET_CORS_ORIGIN: 'https://game.example.com',
      PING_INTERVAL_MS: String(limits.pingIntervalMs),
      PING_TIMEOUT_MS: String(limits.pingTimeoutMs),
      CONNECT_TIMEOUT_MS: String(limits.connectTimeoutMs),
    };
    const entry = fileURLToPath(new URL('_conformance-gateway.ts', import.meta.url));
    gateways.push(await startProcess({ name: 'gateway', entry, env }));
    outcomes = await outcomesOf(cases, targetAt(`http://127.0.0.1:${gateways[0]?.ready.publicPort ?? 0}`), 8);
  }, 300_000);
  afterAll(async () => {
    await Promise.all(gateways.map((gateway) => gateway.stop()));
    await cluster.stop();
  });

  const targetAt = (url: string): Target => ({ url, ...limits, token: () => cluster.token(`p${(players++ % playersMax) + 1}`) });

  it.each(cases)('direct: $name', ({ name, expected }) => {
    expect(outcomes.get(name)).toEqual(expected);
  });

  it('no gateway noticed any of it: same process, no unhandled rejection, nothing logged as a fault', () => {
    for (const gateway of gateways) {
      expect(gateway.isRunning()).toBe(true);
      expect(gateway.output()).not.toMatch(/unhandled|a fault that nobody handled|"level":"(error|fatal)"/i);
    }
  });
});
