import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { awakeMsOf, eventually, signalTree } from '@skirmish/testing';
import { afterAll, describe, expect, it } from 'vitest';
import { findNginx } from '../src/host-tools.ts';
import { createNarrator } from '../src/story/narrator.ts';
import { tellStory } from '../src/story/tell-story.ts';
import { allGone, awkwardFolder, startSupervisor } from './_started-cluster.ts';

const isReady = async (port: number): Promise<boolean> => (await fetch(`http://127.0.0.1:${port}/readyz`, { signal: AbortSignal.timeout(2_000) })).ok;

describe('a cluster below a folder of mode 700 with a space in its path', () => {
  const { folder, remove } = awkwardFolder();
  afterAll(remove);
  const lock = join(folder, 'start.lock');
  const clusterFile = join(folder, 'cluster.json');
  const roles = ['load-balancer', 'gateway', 'gateway', 'combat-worker', 'moderation-worker', 'redis', 'postgres'].sort();

  it('answers, says truly what runs, refuses a second one, tells the story, and ends with no process and no lock', async () => {
    const cluster = await startSupervisor(folder, ['--bots', '2'], findNginx() === null ? 'own' : 'nginx');
    const { processes, url, databaseUrl } = cluster.describe();
    expect(processes.map(({ role }) => role).sort()).toEqual(roles);
    expect([url, databaseUrl]).toEqual([`http://127.0.0.1:${cluster.port}`, expect.stringMatching(/^postgres:/)]);
    await eventually(() => isReady(cluster.port), { timeoutMs: 40_000, what: 'an answer' });
    await expect(startSupervisor(folder, [])).rejects.toThrow(`runs already at http://127.0.0.1:${cluster.port} (process ${cluster.process.pid})`);
    expect(cluster.describe().processes).toEqual(processes);

    const lines: string[] = [];
    await tellStory({ cluster: cluster.describe(), realm: 'main', narrator: createNarrator((line) => lines.push(line)) });
    expect(lines.map((line) => /refused|sees it in|victory|keeps the fight/.exec(line)?.[0]).filter(Boolean)).toEqual(['refused', 'sees it in', 'victory', 'keeps the fight']);

    expect(await awakeMsOf(() => cluster.process.stop(40_000))).toBeLessThan(10_000);
    expect(await cluster.process.exited).toBe(0);
    await allGone(processes.map(({ pid }) => pid), 10_000);
    expect([existsSync(lock), existsSync(clusterFile)]).toEqual([false, false]);
  }, 240_000);

  it('starts a killed gateway, worker, balancer and Redis again on their ports', async () => {
    const cluster = await startSupervisor(folder, ['--gateways', '1'], findNginx() === null ? 'own' : 'nginx');
    const before = cluster.describe().processes;
    const killed = (['gateway', 'combat-worker', 'load-balancer', 'redis'] as const).map((role) => cluster.pidOf(role));
    for (const pid of killed) process.kill(pid, 'SIGKILL');
    const restarted = (): boolean => {
      const { processes } = cluster.describe();
      return processes.length === before.length && !processes.some(({ pid }) => killed.includes(pid));
    };
    await eventually(restarted, { timeoutMs: 40_000, what: 'all of them again' });
    await eventually(() => isReady(cluster.port), { timeoutMs: 40_000, what: 'answers' });
    for (const { role, id, pid, publicPort, internalPort } of cluster.describe().processes) {
      const old = before.find((candidate) => candidate.role === role);
      expect({ role, publicPort, internalPort }).toEqual({ role, publicPort: old?.publicPort, internalPort: old?.internalPort });
      if (role === 'gateway') expect(id).not.toBe(old?.id);
      if (['gateway', 'combat-worker', 'load-balancer', 'redis'].includes(role)) expect(pid).not.toBe(old?.pid);
    }
    // The supervisor itself is killed: everything follows, and the next start finds no lock in its way.
    const pids = cluster.describe().processes.map(({ pid }) => pid);
    await cluster.process.kill();
    await allGone(pids, 30_000);
    const next = await startSupervisor(folder, ['--gateways', '1']);
    await eventually(() => isReady(next.port), { timeoutMs: 40_000, what: 'answers of the next one' });
    await next.process.stop();
  }, 240_000);

  it('takes a frozen gateway out of turn, and back when it wakes up', async () => {
    const cluster = await startSupervisor(folder, [], findNginx() === null ? 'own' : 'nginx');
    const gateway = cluster.pidOf('gateway');
    signalTree(gateway, 'SIGSTOP');
    await eventually(() => eightAnswers(cluster.port), { timeoutMs: 40_000, what: 'eight answers in a row beside a frozen gateway' });
    signalTree(gateway, 'SIGCONT');
    await eventually(() => isReady(cluster.port), { timeoutMs: 40_000, what: 'an answer of the gateway that woke up' });
    expect(await cluster.process.stop()).toBe(0);
  }, 240_000);
});

it('says in one sentence that the port is taken', async () => {
  const { folder, remove } = awkwardFolder();
  const { createServer } = await import('node:http');
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  await expect(startSupervisor(folder, [], 'own', port)).rejects.toThrow(`Port ${port} is in use by another program; choose another one with --port.`);
  expect(existsSync(join(folder, 'start.lock'))).toBe(false);
  server.close();
  remove();
});

async function eightAnswers(port: number): Promise<boolean> {
  const answers = await Promise.all(Array.from({ length: 8 }, () => isReady(port).catch(() => false)));
  return answers.every(Boolean);
}
