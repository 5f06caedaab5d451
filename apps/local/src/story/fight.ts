import type { DemoPlayer } from './demo-player.ts';

/** How a fight went. */
export interface FightResult {
  combatId: string;
  blows: number;
  outcome: string;
  winner: string;
}

const turnsMax = 200;

/** Lets two players fight to the end, each attacking when the worker says that it is their turn; rejects when they saw different fights. */
export async function fight(one: DemoPlayer, two: DemoPlayer): Promise<FightResult> {
  const { combatId } = (await one.command('combat:start', { opponents: [two.characterId] })) as { combatId: string };
  const ofThis = (seq: number) => (payload: Record<string, unknown>): boolean => payload['combatId'] === combatId && payload['seq'] === seq;
  const [started] = await Promise.all([one.next('combat:started', ofThis(1)), two.next('combat:started', ofThis(1))]);
  let next = { turn: started['turn'] as number, actorId: started['actorId'] as string };
  for (let seq = 2; seq < turnsMax; seq += 1) {
    const [actor, target] = next.actorId === one.characterId ? [one, two] : [two, one];
    await actor.command('combat:act', { combatId, turn: next.turn, action: { kind: 'attack', targetId: target.characterId } });
    const resolved = await same(one, two, 'combat:resolved', ofThis(seq));
    if (resolved['next'] === null) return ended(one, two, combatId, seq);
    next = resolved['next'] as { turn: number; actorId: string };
  }
  throw new Error(`the fight ${combatId} did not end within ${turnsMax} turns`);
}

async function ended(one: DemoPlayer, two: DemoPlayer, combatId: string, lastBlow: number): Promise<FightResult> {
  const end = await same(one, two, 'combat:ended', (payload) => payload['combatId'] === combatId && payload['seq'] === lastBlow + 1);
  const winners = end['winners'] as string[];
  return { combatId, blows: lastBlow - 1, outcome: String(end['outcome']), winner: winners.join(' and ') };
}

async function same(one: DemoPlayer, two: DemoPlayer, event: string, matches: (payload: Record<string, unknown>) => boolean): Promise<Record<string, unknown>> {
  const [first, second] = await Promise.all([one.next(event, matches), two.next(event, matches)]);
  if (JSON.stringify(first) !== JSON.stringify(second)) throw new Error(`the players saw different ${event}: ${JSON.stringify(first)} and ${JSON.stringify(second)}`);
  return first;
}
