import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLogger } from '@skirmish/observability';
import { laneCommands } from '@skirmish/queue';
import { eventually, startTcpProxy, timePasses } from '@skirmish/testing';
import { type Bench, createBench, newCombatId } from './_bench.ts';

let bench: Bench;

beforeAll(async () => {
  bench = await createBench();
});
afterAll(() => bench[Symbol.asyncDispose]());

const deadCommands = (): Promise<number> => bench.redis.llen(`{${bench.realm}}:lane-dead:combat`);

const behind = async (url: string) => {
  const { port } = new URL(url);
  const proxy = await startTcpProxy({ targetPort: Number(port) });
  const through = new URL(url);
  through.port = String(proxy.port);
  return { ...proxy, url: through.href, [Symbol.asyncDispose]: () => proxy.close() };
};

async function begin(characters: readonly string[]) {
  const combatId = newCombatId();
  await bench.start(combatId, characters);
  const [started] = await bench.logOf(combatId, 1);
  await eventually(async () => (await bench.toldEvents(combatId)).length === 1);
  const [actor = '', other = ''] = started?.payload['order'] as string[];
  return { combatId, actor, other };
}

describe('a command that dies for good after its effect was stored', () => {
  it('is told by the next step of the fight, before anything new', async () => {
    let broken = false;
    let fight: Awaited<ReturnType<typeof begin>> | undefined;
    {
      await using _worker = await bench.work({ LOG_LEVEL: 'silent' }, {
        reached: (place) => {
          broken ||= place === 'committed' && fight !== undefined;
          if (broken && place !== 'told refusal') throw new Error('this process is not well');
        },
      });
      fight = await begin(['c1', 'c2']);
      await bench.act(fight.combatId, { by: fight.actor, turn: 1, action: { kind: 'attack' } });
      await eventually(async () => (await deadCommands()) === 1);
    }
    const { combatId, other } = fight;
    expect(await bench.log(combatId)).toHaveLength(2);
    expect(await bench.toldEvents(combatId)).toEqual(['combat:started 1', 'combat:refused server/internal']);
    await using _worker = await bench.work();
    await bench.act(combatId, { by: other, turn: 2, action: { kind: 'pass' } });
    await bench.logOf(combatId, 3);
    await eventually(async () =>
      expect(await bench.toldEvents(combatId)).toEqual(['combat:started 1', 'combat:refused server/internal', 'combat:resolved 2', 'combat:resolved 3']),
    );
  });
});

describe('a command that meets an outage', () => {
  it.each([
    ['Postgres', 'DATABASE_URL', ['c3', 'c4']],
    ['the Redis of the bus', 'REDIS_URL', ['c5', 'c6']],
  ])('of %s waits, is carried out once when it is over, and costs no try', async (_, variable, characters) => {
    await using proxy = await behind(bench.env[variable] ?? '');
    const queueRedisUrl = bench.env['REDIS_URL'] ?? '';
    let left = 0;
    const logger = createLogger({ name: 'worker', level: 'warn', destination: { write: (line) => { if (line.includes('command left at the head of its lane')) left += 1; } } });
    await using _worker = await bench.work({ [variable]: proxy.url, QUEUE_REDIS_URL: queueRedisUrl }, { logger });
    const { combatId, actor } = await begin(characters);
    const given = await deadCommands();
    proxy.pause();
    await bench.act(combatId, { by: actor, turn: 1, action: { kind: 'attack' }, commandId: 'during' });
    // More often than it may be tried.
    await eventually(() => left > laneCommands['combat.act'].triesMax, { timeoutMs: 60_000 });
    expect(await bench.toldEvents(combatId)).toEqual(['combat:started 1']);
    proxy.heal();
    await bench.logOf(combatId, 2, 15_000);
    await eventually(async () => expect(await bench.toldEvents(combatId)).toEqual(['combat:started 1', 'combat:resolved 2']), { timeoutMs: 15_000 });
    expect(await deadCommands()).toBe(given);
  }, 120_000);
});

describe('a command that dies while the Redis of the bus is away', () => {
  it('waits until its actor can hear of it', async () => {
    await using proxy = await behind(bench.env['REDIS_URL'] ?? '');
    let poisoned = false;
    await using _worker = await bench.work({ REDIS_URL: proxy.url, QUEUE_REDIS_URL: bench.env['REDIS_URL'] ?? '', LOG_LEVEL: 'silent' }, {
      reached: (place) => {
        if (poisoned && place === 'loaded') throw new Error('this process is not well');
      },
    });
    const { combatId, actor } = await begin(['c7', 'c8']);
    const given = await deadCommands();
    poisoned = true;
    proxy.pause();
    await bench.act(combatId, { by: actor, turn: 1, action: { kind: 'attack' } });
    await timePasses(8_000, 'twice the time that telling may take');
    expect(await deadCommands()).toBe(given);
    proxy.heal();
    await eventually(async () => expect(await deadCommands()).toBe(given + 1), { timeoutMs: 30_000 });
    expect(await bench.toldEvents(combatId)).toEqual(['combat:started 1', 'combat:refused server/internal']);
  }, 120_000);
});
