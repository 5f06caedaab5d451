import { createHash } from 'node:crypto';
import { createDatabase } from '@skirmish/database';
import type { ServerPayload } from '@skirmish/protocol';
import { eventually } from '@skirmish/testing';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startCluster, type Cluster } from './_cluster.ts';
import type { Player } from './_player.ts';

let cluster: Cluster;
const players: Player[] = [];
const channel = { kind: 'zone', id: 'meadow' } as const;

/** A player of the development world, after the welcome. */
async function connect(userId: string, gatewayIndex: number): Promise<Player> {
  const player = await cluster.connect(userId, gatewayIndex);
  players.push(player);
  return player;
}

beforeAll(async () => {
  cluster = await startCluster();
});
afterEach(() => {
  for (const player of players.splice(0)) player.close();
});
afterAll(async () => {
  await cluster.stop();
});

describe('players on different gateways', () => {
  it('[SES1] are welcomed first, each by another incarnation', async () => {
    const [one, two] = [await connect('p1', 0), await connect('p2', 1)];
    expect(cluster.gateways[0]?.incarnation).not.toBe(cluster.gateways[1]?.incarnation);
    for (const [player, name] of [[one, '1'], [two, '2']] as const) {
      expect(player.received[0]).toMatchObject({ event: 'session:welcome', payload: { userId: `p${name}`, characterId: `c${name}`, realm: 'main', recovered: false, zone: { id: 'meadow' } } });
      expect(player.received[0]?.position).toMatch(/^\d+-\d+$/);
    }
  });

  it('[CHT2] read a message in the zone once the moderation worker has passed it', async () => {
    const [one, two] = [await connect('p1', 0), await connect('p2', 1)];
    const { messageId } = await one.ask('chat:send', { commandId: 'hello-1', channel, text: 'hello meadow' });
    for (const player of [one, two]) {
      expect(await player.next('chat:message', (message) => message.messageId === messageId)).toMatchObject({
        channel, from: { userId: 'p1', name: 'Player 1' }, text: 'hello meadow',
      });
    }
    await using database = createDatabase({ url: cluster.databaseUrl, poolMax: 1, statementTimeoutMs: 5_000 });
    const row = await database.db.selectFrom('chat_messages').selectAll().where('message_id', '=', messageId).executeTakeFirstOrThrow();
    expect(row).toMatchObject({ text: 'hello meadow', status: 'delivered', from_user_id: 'p1' });
  });

  it('[CMD2] get one answer for a command that is sent twice, and one message', async () => {
    const [one, two] = [await connect('p1', 0), await connect('p2', 1)];
    const send = () => one.ask('chat:send', { commandId: 'twice-1', channel, text: 'only once' });
    expect(await send()).toEqual(await send());
    await one.ask('chat:send', { commandId: 'after-1', channel, text: 'afterwards' });
    await two.next('chat:message', ({ text }) => text === 'afterwards');
    expect(two.of('chat:message').filter(({ text }) => text === 'only once')).toHaveLength(1);
  });

  it('[CHT6] never see a vileword: its sender is told, and a mildword is masked', async () => {
    const [one, two] = [await connect('p1', 0), await connect('p2', 1)];
    const { messageId } = await one.ask('chat:send', { commandId: 'vile-1', channel, text: 'you vileword' });
    expect(await one.next('chat:refused', (refusal) => refusal.messageId === messageId)).toMatchObject({ commandId: 'vile-1', code: 'chat/profanity' });
    await one.ask('chat:send', { commandId: 'mild-1', channel, text: 'you mildword' });
    expect((await two.next('chat:message', ({ from }) => from.userId === 'p1')).text).toBe('you ********');
    expect(JSON.stringify([...one.of('chat:message'), ...two.received])).not.toContain('vileword');
  });

  it('[CHR3] [DLV3] see one another move at the tick, and a jump is corrected', async () => {
    const [one, two] = [await connect('p3', 0), await connect('p4', 1)];
    const movesOf = (player: Player, characterId: string) => player.of('zone:tick').flatMap(({ moved }) => moved).filter(([id]) => id === characterId);
    await eventually(() => one.received.some(({ event }) => event === 'zone:tick'), { what: 'a first tick' });
    await one.ask('character:move', { seq: 1, x: 406, y: 400, facing: 0 });
    await eventually(() => movesOf(two, 'c3').some(([, x, y]) => x === 406 && y === 400), { what: 'the tick with the move' });

    const answer = await one.send('character:move', { seq: 2, x: 906, y: 400 });
    expect(answer.ok ? 'accepted' : answer.error.code).toMatch(/^character\/(too-fast|out-of-bounds)$/);
    expect(await one.next('character:corrected', ({ seq }) => seq === 2)).toMatchObject({ y: 400 });
    expect(movesOf(two, 'c3').every(([, x]) => x < 600)).toBe(true);
  });
});

describe('a fight between players on different gateways', () => {
  type Told = { type: string; payload: unknown; position: string | undefined };
  const toldTo = (player: Player, combatId: string): Told[] =>
    player.received
      .filter(({ event, payload }) => /^combat:(started|resolved|ended)$/.test(event) && (payload as { combatId: string }).combatId === combatId)
      .map(({ event, payload, position }) => ({ type: event, payload, position }));

  /** Attacks in turn until somebody has won. */
  async function fightToTheEnd(started: ServerPayload<'combat:started'>, byCharacter: ReadonlyMap<string, Player>): Promise<void> {
    const { combatId } = started;
    let next: { turn: number; actorId: string } | null = started;
    while (next !== null) {
      const { turn, actorId }: { turn: number; actorId: string } = next;
      const actor = byCharacter.get(actorId);
      const targetId = [...byCharacter.keys()].find((id) => id !== actorId);
      if (actor === undefined || targetId === undefined) throw new Error(`nobody plays ${actorId}`);
      await actor.ask('combat:act', { commandId: `act-${combatId}-${turn}`, combatId, turn, action: { kind: 'attack', targetId } });
      next = (await actor.next('combat:resolved', (resolved) => resolved.combatId === combatId && resolved.turn === turn)).next;
    }
  }

  it('[CMB2] [CMB4] [CMB8] [DLV1] is decided by the combat worker, told to both in one order, and stored', async () => {
    const [one, two] = [await connect('p5', 0), await connect('p6', 1)];
    const { combatId } = await one.ask('combat:start', { commandId: 'fight-1', opponents: ['c6'] });
    const started = await two.next('combat:started', (payload) => payload.combatId === combatId);
    expect(started).toMatchObject({ seq: 1, turn: 1, order: expect.arrayContaining(['c5', 'c6']) });
    await fightToTheEnd(started, new Map([['c5', one], ['c6', two]]));
    const ended = await two.next('combat:ended', (payload) => payload.combatId === combatId);
    await one.next('combat:ended', (payload) => payload.combatId === combatId);

    const told = toldTo(one, combatId);
    expect(toldTo(two, combatId)).toEqual(told);
    expect(told.map(({ payload }) => (payload as { seq: number }).seq)).toEqual(told.map((_, index) => index + 1));
    expect(told.every(({ position }) => position !== undefined)).toBe(true);

    // The players sent no number at all; every health follows from the one before it by what the worker told.
    const health = new Map<string, number>(started.combatants.map((combatant) => [combatant.characterId, combatant.health]));
    for (const { effects } of one.of('combat:resolved').filter((resolved) => resolved.combatId === combatId)) {
      for (const effect of effects) {
        expect(effect.health).toBe(Math.max(0, (health.get(effect.to) ?? Number.NaN) - effect.amount));
        health.set(effect.to, effect.health);
      }
    }
    const [winner] = ended.winners;
    expect(createHash('sha256').update(ended.seed).digest('hex')).toBe(started.seedHash);
    expect(ended).toMatchObject({ outcome: 'victory', winners: [expect.stringMatching(/^c[56]$/)] });
    expect([...health].filter(([, left]) => left > 0).map(([characterId]) => characterId)).toEqual([winner]);

    await using database = createDatabase({ url: cluster.databaseUrl, poolMax: 1, statementTimeoutMs: 5_000 });
    const rows = await database.db.selectFrom('combat_events').selectAll().where('combat_id', '=', combatId).orderBy('seq').execute();
    expect(rows.map(({ type, payload }) => ({ type, payload }))).toEqual(told.map(({ type, payload }) => ({ type, payload })));
    const combat = await database.db.selectFrom('combats').selectAll().where('combat_id', '=', combatId).executeTakeFirstOrThrow();
    expect(combat).toMatchObject({ status: 'ended', outcome: 'victory', seed: ended.seed, last_seq: told.length });
  });

  it('[CMB5] [CMB14] refuses who is not in it, and tells who acts out of turn', async () => {
    const [one, two, other] = [await connect('p7', 0), await connect('p8', 1), await connect('p9', 1)];
    const { combatId } = await one.ask('combat:start', { commandId: 'fight-2', opponents: ['c8'] });
    const { actorId } = await two.next('combat:started', (payload) => payload.combatId === combatId);
    const [waiting, target] = actorId === 'c7' ? [two, 'c7'] : [one, 'c8'];
    const act = (player: Player, commandId: string) => player.send('combat:act', { commandId, combatId, turn: 1, action: { kind: 'attack', targetId: target } });

    const stranger = await act(other, 'stranger-1');
    expect(stranger.ok ? 'accepted' : stranger.error.code).toBe('combat/not-participant');
    expect((await act(waiting, 'early-1')).ok).toBe(true);
    expect(await waiting.next('combat:refused', ({ commandId }) => commandId === 'early-1')).toMatchObject({ combatId, code: 'combat/not-your-turn' });
    expect(one.of('combat:resolved')).toEqual([]);
  });
});
