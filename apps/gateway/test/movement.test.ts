import { createDatabase } from '@skirmish/database';
import { eventually } from '@skirmish/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Client, join, startGateway, startWorld, type TestGateway, type TestWorld } from './_gateway.ts';

interface Tick {
  zoneId: string;
  tick: number;
  atMs: number;
  moved: [string, number, number, number][];
  entered: { characterId: string; name: string; x: number; y: number; status: string }[];
  left: string[];
  keyframe: boolean;
}

let world: TestWorld;
let gateway: TestGateway;
beforeAll(async () => {
  world = await startWorld(40);
  gateway = await startGateway(world);
});
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

const move = (client: Client, seq: number, x: number, y: number) => client.ask('character:move', { seq, x, y, facing: 1 });
const tickWith = (client: Client, fits: (tick: Tick) => boolean): Promise<Tick> => client.hears<Tick>('zone:tick', fits);
const codeOf = (answer: { ok: boolean; error?: { code: string } }) => answer.error?.code;

describe('movement', () => {
  it('reaches the others with the next tick, the newest position only', async () => {
    using mover = await join(gateway, 'p1');
    using watcher = await join(gateway, 'p2');
    for (let seq = 1; seq <= 5; seq++) mover.socket.emit('character:move', { seq, x: 401 + seq, y: 400, facing: 1 });
    const tick = await tickWith(watcher, ({ moved }) => moved.some(([id, x]) => id === 'c1' && x === 406));
    expect(tick).toMatchObject({ zoneId: 'meadow', left: [] });
    expect(tick.moved.find(([id]) => id === 'c1')).toEqual(['c1', 406, 400, 1]);
    const steps = watcher.payloads<Tick>('zone:tick').flatMap(({ moved, keyframe }) => (keyframe ? [] : moved)).filter(([id]) => id === 'c1');
    expect(steps.length).toBeLessThanOrEqual(2);
  });

  it('comes at most ten times a second', async () => {
    using mover = await join(gateway, 'p3');
    using watcher = await join(gateway, 'p4');
    const walking = setInterval(() => mover.socket.emit('character:move', { seq: Date.now(), x: 403 + Math.random(), y: 400 }), 20);
    await eventually(() => watcher.payloads('zone:tick').length > 12).finally(() => { clearInterval(walking); });
    const ticks = watcher.payloads<Tick>('zone:tick').slice(1);
    const [first, last] = [ticks[0]!, ticks.at(-1)!];
    expect(last.atMs - first.atMs).toBeGreaterThanOrEqual((ticks.length - 1) * 90);
    expect(ticks.every((tick, index) => index === 0 || tick.tick > ticks[index - 1]!.tick)).toBe(true);
  });

  it('is corrected where it leads out of the zone, and where it is too far', async () => {
    using client = await join(gateway, 'p5');
    expect(codeOf((await move(client, 1, 405, -1)) as never)).toBe('character/out-of-bounds');
    expect(await client.hears('character:corrected')).toEqual({ seq: 1, x: 405, y: 400, code: 'character/out-of-bounds' });
    expect(codeOf((await move(client, 2, 405 + 151, 400)) as never)).toBe('character/too-fast');
    expect(await client.hears('character:corrected', ({ seq }: { seq: number }) => seq === 2)).toEqual({ seq: 2, x: 405, y: 400, code: 'character/too-fast' });
    expect(await move(client, 3, 410, 400)).toEqual({ ok: true, data: {} });
  });

  it('of an older socket is stale: the newest one controls the character, and the older one again when it has gone', async () => {
    using older = await join(gateway, 'p6');
    const newer = await join(gateway, 'p6');
    expect(codeOf((await move(older, 1, 407, 400)) as never)).toBe('character/stale');
    expect(await older.hears('character:corrected')).toMatchObject({ x: 406, y: 400, code: 'character/stale' });
    expect(await move(newer, 1, 408, 400)).toMatchObject({ ok: true });
    newer[Symbol.dispose]();
    await eventually(() => gateway.gateway.realms[0]!.sessions.of('p6' as never).length === 1);
    expect(await move(older, 2, 410, 400)).toMatchObject({ ok: true });
  });

  it('[CHR2] [CHR3] with a seq that does not grow is stale and has no effect, and a new session counts anew', async () => {
    using client = await join(gateway, 'p7');
    await move(client, 5, 409, 400);
    for (const seq of [5, 4]) {
      expect(codeOf((await move(client, seq, 412, 400)) as never)).toBe('character/stale');
      expect(await client.hears('character:corrected', (correction: { seq: number }) => correction.seq === seq)).toEqual({ seq, x: 409, y: 400, code: 'character/stale' });
    }
    expect(gateway.gateway.realms[0]!.zones.of('meadow' as never)?.positionOf('c7' as never)).toEqual({ x: 409, y: 400 });
    using again = await join(gateway, 'p7');
    expect(await move(again, 0, 410, 400)).toEqual({ ok: true, data: {} });
  });
});

describe('a zone', () => {
  it('shows itself to a newcomer at once, and the newcomer to the others', async () => {
    using first = await join(gateway, 'p8');
    using second = await join(gateway, 'p9');
    const snapshot = await second.hears<Tick>('zone:tick');
    expect(snapshot).toMatchObject({ keyframe: true, left: [] });
    expect(snapshot.entered.map(({ characterId }) => characterId)).toEqual(expect.arrayContaining(['c8', 'c9']));
    const tick = await tickWith(first, ({ entered }) => entered.some(({ characterId }) => characterId === 'c9'));
    expect(tick.entered.find(({ characterId }) => characterId === 'c9')).toEqual({ characterId: 'c9', userId: 'p9', name: 'Player 9', x: 409, y: 400, facing: 0, status: 'online' });
  });

  it('tells who left', async () => {
    using first = await join(gateway, 'p10');
    const second = await join(gateway, 'p11');
    second[Symbol.dispose]();
    await tickWith(first, ({ left }) => left.includes('c11'));
  });

  it('gives a keyframe with every position at least every two seconds', async () => {
    using client = await join(gateway, 'p12');
    await eventually(() => client.payloads<Tick>('zone:tick').filter(({ keyframe }) => keyframe).length >= 3, { timeoutMs: 15_000 });
    const [, first, second] = client.payloads<Tick>('zone:tick').filter(({ keyframe }) => keyframe);
    // Counted in ticks, of which there are ten a second: a stalled machine stretches the time between them.
    expect(second!.tick - first!.tick).toBe(20);
    expect(second!.moved).toContainEqual(['c12', 412, 400, 0]);
  });

  it('answers its roster to those inside only', async () => {
    using client = await join(gateway, 'p13');
    const answer = await client.ask<{ population: number; characters: { characterId: string }[] }>('zone:roster', { zoneId: 'meadow' });
    expect(answer.ok && answer.data.population).toBeGreaterThanOrEqual(1);
    expect(answer.ok && answer.data.characters.some(({ characterId }) => characterId === 'c13')).toBe(true);
    expect(await client.ask('zone:roster', { zoneId: 'forest' })).toMatchObject({ ok: false, error: { code: 'room/forbidden', path: 'zoneId' } });
  });
});

describe('two gateways of a realm', () => {
  it('show each other their characters, and let the newest socket control on either', async () => {
    await using other = await startGateway(world, { REALMS: gateway.realm });
    using here = await join(gateway, 'p14');
    using there = await join(other, 'p15');
    await tickWith(here, ({ entered }) => entered.some(({ characterId }) => characterId === 'c15'));
    await tickWith(there, ({ entered }) => entered.some(({ characterId }) => characterId === 'c14'));
    await move(there, 1, 416, 400);
    await tickWith(here, ({ moved }) => moved.some(([id, x]) => id === 'c15' && x === 416));
    using newer = await join(other, 'p14');
    await eventually(async () => expect(codeOf((await move(here, Date.now(), 415, 400)) as never)).toBe('character/stale'));
    expect(await move(newer, 1, 416, 401)).toMatchObject({ ok: true });
    newer[Symbol.dispose]();
    await eventually(async () => expect(await move(here, Date.now(), 417, 401)).toMatchObject({ ok: true }));
  });

  it('show each other everybody, also where the game has stored a name that is too long', async () => {
    {
      await using database = createDatabase({ url: world.databaseUrl, poolMax: 1 });
      await database.db.updateTable('characters').set({ name: 'x'.repeat(200) }).where('user_id', '=', 'p18').execute();
    }
    await using other = await startGateway(world, { REALMS: gateway.realm });
    using here = await join(gateway, 'p20');
    using long = await join(other, 'p18');
    using mate = await join(other, 'p19');
    for (const id of ['c18', 'c19']) await tickWith(here, ({ entered }) => entered.some(({ characterId }) => characterId === id));
    expect((await tickWith(here, ({ entered }) => entered.some(({ characterId }) => characterId === 'c18'))).entered.find(({ characterId }) => characterId === 'c18')?.name).toBe('x'.repeat(64));
    expect([long, mate].every(({ socket }) => socket.connected)).toBe(true);
  });

  it('forget the characters of one that fell silent', async () => {
    const other = await startGateway(world, { REALMS: gateway.realm });
    using here = await join(gateway, 'p16');
    using there = await join(other, 'p17');
    await tickWith(here, ({ entered }) => entered.some(({ characterId }) => characterId === 'c17'));
    other.gateway.realms[0]!.zones.stop();
    expect(there.socket.connected).toBe(true);
    await eventually(() => here.payloads<Tick>('zone:tick').some(({ left }) => left.includes('c17')), { timeoutMs: 12_000 });
    await other[Symbol.asyncDispose]();
  });
});
