import { type CombatId, roomOf } from '@skirmish/protocol';
import { createRedis, keysOf } from '@skirmish/redis';
import { eventually, services } from '@skirmish/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { join, startGateway, startWorld, type TestGateway, type TestWorld } from './_gateway.ts';

let world: TestWorld;
let gateway: TestGateway;
const redis = createRedis({ url: services().redisUrl, name: 'test', role: 'command' });
beforeAll(async () => {
  world = await startWorld();
  gateway = await startGateway(world, { RATE_LIMIT_SCALE: '10' });
});
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
  redis.disconnect();
});

const lane = async (key: string): Promise<string[]> => redis.lrange(keysOf(gateway.realm as never).lane('combat', key), 0, -1);

describe('combat:start', () => {
  it('puts the beginning of a fight on a lane of its own, once per command', async () => {
    using challenger = await join(gateway, 'p1');
    using opponent = await join(gateway, 'p2');
    const [first, again] = [
      await challenger.ask<{ combatId: string }>('combat:start', { commandId: 'a', opponents: ['c2'] }),
      await challenger.ask<{ combatId: string }>('combat:start', { commandId: 'a', opponents: ['c2'] }),
    ];
    if (!first.ok) throw new Error(first.error.code);
    expect(again).toEqual(first);
    const records = await lane(first.data.combatId);
    expect(records).toHaveLength(1);
    expect(JSON.parse(records[0]!)).toMatchObject({ kind: 'combat.start', body: { zoneId: 'meadow', challenger: { userId: 'p1', characterId: 'c1' }, opponents: ['c2'] } });
    expect(opponent.socket.connected).toBe(true);
  });

  it('[CMD2] [CMD3] is answered again when the opponent has left since, and begins no other fight', async () => {
    using challenger = await join(gateway, 'p7');
    const opponent = await join(gateway, 'p8');
    const first = await challenger.ask<{ combatId: string }>('combat:start', { commandId: 'left', opponents: ['c8'] });
    if (!first.ok) throw new Error(first.error.code);
    opponent[Symbol.dispose]();
    await eventually(async () => { expect(await gateway.gateway.realms[0]!.transport.rosterHas('meadow' as never, ['c8' as never])).toEqual([false]); });
    expect(await challenger.ask('combat:start', { commandId: 'left', opponents: ['c8'] })).toEqual(first);
    expect(await lane(first.data.combatId)).toHaveLength(1);
    for (const other of [{ commandId: 'later', opponents: ['c8'] }, { commandId: 'left', opponents: ['c9'] }]) {
      expect(await challenger.ask('combat:start', other)).toMatchObject({ ok: false, error: { code: 'combat/invalid-target' } });
    }
  });

  it.each([
    ['someone who is not here', { opponents: ['c19'] }, 'combat/invalid-target'],
    ['oneself', { opponents: ['c3'] }, 'combat/invalid-target'],
    ['a fight of the world itself', { encounterId: 'training-dummy' }, 'combat/invalid-target'],
    ['nobody', { opponents: [] }, 'payload/invalid'],
    ['the same one twice', { opponents: ['c1', 'c1'] }, 'payload/invalid'],
    ['with a damage of the own choice', { opponents: ['c1'], damage: 999 }, 'payload/invalid'],
  ])('refuses %s', async (_what, payload, code) => {
    using client = await join(gateway, 'p3');
    expect(await client.ask('combat:start', { commandId: 'b', ...payload })).toMatchObject({ ok: false, error: { code } });
  });

  it('is refused for a user without a character', async () => {
    using client = await join(gateway, 'p4');
    const [session] = gateway.gateway.realms[0]!.sessions.of('p4' as never);
    session!.player = { ...session!.player, character: null };
    expect(await client.ask('combat:start', { commandId: 'c', opponents: ['c1'] })).toMatchObject({ ok: false, error: { code: 'character/not-found' } });
  });
});

describe('combat:act', () => {
  const act = (combatId: string, commandId = 'x') => ({ commandId, combatId, turn: 1, action: { kind: 'attack', targetId: 'c6' } });

  it('is refused for those whom the worker did not let into the fight', async () => {
    using client = await join(gateway, 'p5');
    expect(await client.ask('combat:act', act('fight-1'))).toMatchObject({ ok: false, error: { code: 'combat/not-participant' } });
  });

  it('[CMD2] of a participant is accepted at once and waits on the lane of the fight, once per command', async () => {
    using client = await join(gateway, 'p5');
    const { transport, sessions } = gateway.gateway.realms[0]!;
    const room = roomOf.combat('fight-2' as CombatId);
    await transport.emitter.join({ rooms: [roomOf.user('p5' as never)] }, [room]);
    await eventually(() => sessions.of('p5' as never)[0]!.socket.rooms.has(room));
    expect(await client.ask('combat:act', act('fight-2', 'first'))).toEqual({ ok: true, data: { accepted: true } });
    expect(await client.ask('combat:act', act('fight-2', 'second'))).toEqual({ ok: true, data: { accepted: true } });
    const records = (await lane('fight-2')).map((record) => JSON.parse(record) as { body: object });
    expect(records).toHaveLength(2);
    await transport.emitter.leave({ rooms: [roomOf.user('p5' as never)] }, [room]);
    await eventually(() => !sessions.of('p5' as never)[0]!.socket.rooms.has(room));
    // The answer of the second was lost, and the fight is over.
    expect(await client.ask('combat:act', act('fight-2', 'second'))).toEqual({ ok: true, data: { accepted: true } });
    expect(await client.ask('combat:act', act('fight-2', 'third'))).toMatchObject({ ok: false, error: { code: 'combat/not-participant' } });
    expect(await lane('fight-2')).toHaveLength(2);
    expect(records[0]).toMatchObject({ kind: 'combat.act', body: { combatId: 'fight-2', turn: 1, userId: 'p5', characterId: 'c5', action: { kind: 'attack', targetId: 'c6' } } });
  });
});
