/**
 * A combat worker without rules: it commits one event per command through the real lanes and the real repository, and can be told
 * to commit faults that a checker must find. Turn 666 is a poison command.
 */
import { commitCombatStep, createDatabase, isInfrastructureError, loadCombat } from '@skirmish/database';
import type { CombatId, RealmId } from '@skirmish/protocol';
import { createLaneWorker } from '@skirmish/queue';

const fault = process.env['FAULT'] ?? 'none';
const database = createDatabase({ url: process.env['DATABASE_URL'] ?? '', poolMax: 10 });

/** Load, decide, save: the event carries the turn, so that the log shows the order of effects. */
async function commit(combatId: CombatId, turn: number, commandId: string): Promise<void> {
  const command = { kind: 'combat.act', userId: 'u1', commandId };
  for (;;) {
    const combat = await loadCombat(database, combatId, command);
    if (!combat) throw new Error('there is no such fight');
    if (combat.outcome) return;
    const { version, lastSeq } = combat;
    const events = [{ seq: lastSeq + 1, type: 'combat:resolved', payload: { turn, pid: process.pid } }];
    const next = { actorId: 'c1', deadlineMs: Date.now() + 60_000 };
    const progress = { state: {}, turn, next, ended: null, events, combatants: [] };
    if ((await commitCombatStep(database, { combatId, version, command, progress })) !== 'stale') return;
  }
}

const held = new Map<CombatId, number>();
const worker = createLaneWorker({
  redisUrl: process.env['REDIS_URL'] ?? '',
  realm: (process.env['REALM'] ?? '') as RealmId,
  queue: 'combat',
  concurrency: 20,
  isInfrastructureError,
  logger: {
    info: (fields, message) => void process.stdout.write(`${message} ${JSON.stringify(fields)}\n`),
    warn: (fields, message) => void process.stdout.write(`${message} ${JSON.stringify(fields)}\n`),
    error: (fields, message) => void process.stdout.write(`${message} ${JSON.stringify(fields)}\n`),
  },
  step: async (command) => {
    if (command.kind !== 'combat.act') return;
    const { combatId, turn } = command.body;
    if (turn === 666) throw new Error('division by zero');
    if (fault === 'lose' && turn === 7) return;
    if (fault === 'swap' && turn === 7) return void held.set(combatId, turn);
    await commit(combatId, turn, `act-${turn}`);
    if (fault === 'double' && turn === 7) await commit(combatId, turn, `act-${turn}-again`);
    const late = held.get(combatId);
    if (late !== undefined) await commit(combatId, late, `act-${late}`);
    held.delete(combatId);
  },
});
await worker.ready();
const stop = async (): Promise<void> => {
  await worker.close();
  await database.close();
  process.exit(0);
};
process.on('SIGTERM', () => void stop());
process.on('disconnect', () => void stop());
process.send?.({ type: 'ready', id: String(process.pid) });
