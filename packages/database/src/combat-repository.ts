import { sql, type Transaction } from 'kysely';
import type { CombatId } from '@skirmish/protocol';
import type { CombatCommandKey, CombatProgress, CommitResult, NewCombat, StoredCombatEvent } from './combat-records.ts';
import type { Database } from './database.ts';
import { sqlStateOf } from './errors.ts';
import { json } from './json.ts';
import type { Schema } from './schema.ts';

const uniqueViolation = '23505';

/** Rolls the transaction of a step back; never leaves this file. */
class StaleStep extends Error {}

/** A command that is known already violates the key of `combat_commands`, and takes its whole transaction back with it. */
const once = async (database: Database, run: (transaction: Transaction<Schema>) => Promise<void>): Promise<CommitResult> => {
  try {
    await database.db.transaction().execute(run);
    return 'committed';
  } catch (error) {
    if (error instanceof StaleStep) return 'stale';
    if (sqlStateOf(error) === uniqueViolation) return 'repeated';
    throw error;
  }
};

/**
 * Creates a fight with its first events, all or nothing. `repeated` when a fight of this id exists, `stale` when the same command has begun another
 * one within `memoryMs`. Throws the database's error.
 */
export const createCombat = (database: Database, combat: NewCombat, { memoryMs }: { readonly memoryMs: number }): Promise<CommitResult> =>
  once(database, async (transaction) => {
    const { combatId, command, progress } = combat;
    if (await hasBegun(transaction, command, memoryMs)) throw new StaleStep();
    await insertCombat(transaction, combat);
    const rows = combat.combatants.map(({ characterId, userId, name, side, health, healthMax }) => {
      return { combat_id: combatId, character_id: characterId, user_id: userId, name, side, health, health_max: healthMax };
    });
    await transaction.insertInto('combatants').values(rows).execute();
    await insertEvents(transaction, combatId, progress.events);
    await insertCommand(transaction, combatId, command, seqsOf(progress.events));
  });

const hasBegun = async (transaction: Transaction<Schema>, { userId, commandId }: CombatCommandKey, memoryMs: number): Promise<boolean> => {
  const known = await transaction
    .selectFrom('combats')
    .select('combat_id')
    .where('started_by_user_id', '=', userId)
    .where('start_command_id', '=', commandId)
    .where('created_at_ms', '>', sql<number>`now_ms() - ${memoryMs}::int8`)
    .limit(1)
    .executeTakeFirst();
  return known !== undefined;
};

const insertCombat = async (transaction: Transaction<Schema>, combat: NewCombat): Promise<void> => {
  const { combatId, realm, zoneId, seed, command, progress } = combat;
  await transaction
    .insertInto('combats')
    .values({
      combat_id: combatId,
      realm,
      zone_id: zoneId,
      status: 'open',
      last_seq: seqsOf(progress.events).last_seq,
      turn: progress.turn,
      actor_id: progress.next?.actorId ?? null,
      deadline_ms: progress.next?.deadlineMs ?? null,
      seed,
      state: json(progress.state),
      started_by_user_id: command.userId,
      start_command_id: command.commandId,
    })
    .execute();
};

/** One step of a fight: what is written, and the version on which it was decided. */
export interface CombatStep {
  readonly combatId: CombatId;
  readonly version: number;
  readonly command: CombatCommandKey;
  readonly progress: CombatProgress;
}

/**
 * Commits a step in one transaction: the command under its unique id, the fight if it still has the version that was read, and the events. Whoever
 * repeats the command, also a worker that was frozen meanwhile, changes nothing. All earlier events must have been told by then.
 */
export const commitCombatStep = (database: Database, { combatId, version, command, progress }: CombatStep): Promise<CommitResult> =>
  once(database, async (transaction) => {
    await insertCommand(transaction, combatId, command, seqsOf(progress.events));
    if (!(await moveOn(transaction, combatId, version, progress))) throw new StaleStep();
    await insertEvents(transaction, combatId, progress.events);
    if (progress.ended !== null) await closeCombatants(transaction, combatId, progress.combatants);
  });

/** Remembers that a command was refused, so that its repetition is refused alike, whatever has happened since. */
export const commitCombatRefusal = (
  database: Database,
  { combatId, command, code }: { readonly combatId: CombatId; readonly command: CombatCommandKey; readonly code: string },
): Promise<CommitResult> => once(database, (transaction) => insertCommand(transaction, combatId, command, { refusal: code }));

/** Forgets refusals that are older than `olderThanMs`, at most `limit`; answers how many. */
export const forgetCombatRefusals = async (database: Database, { olderThanMs, limit }: { readonly olderThanMs: number; readonly limit: number }): Promise<number> => {
  const { numAffectedRows } = await sql`
    delete from combat_commands where ctid = any(array(
      select ctid from combat_commands where refusal is not null and at_ms < now_ms() - ${olderThanMs}::int8 limit ${limit}
    ))`.execute(database.db);
  return Number(numAffectedRows ?? 0n);
};

const seqsOf = (events: readonly StoredCombatEvent[]): { first_seq: number; last_seq: number } => {
  const [first] = events;
  const last = events.at(-1);
  if (first === undefined || last === undefined) throw new RangeError('A step tells at least one event');
  return { first_seq: first.seq, last_seq: last.seq };
};

const insertCommand = async (
  transaction: Transaction<Schema>,
  combatId: CombatId,
  { kind, userId, commandId }: CombatCommandKey,
  outcome: { first_seq: number; last_seq: number } | { refusal: string },
): Promise<void> => {
  await transaction
    .insertInto('combat_commands')
    .values({ combat_id: combatId, kind, user_id: userId, command_id: commandId, ...outcome })
    .execute();
};

const insertEvents = async (transaction: Transaction<Schema>, combatId: CombatId, events: readonly StoredCombatEvent[]): Promise<void> => {
  const rows = events.map(({ seq, type, payload }) => ({ combat_id: combatId, seq, type, payload: json(payload) }));
  await transaction.insertInto('combat_events').values(rows).execute();
};

/** False when the fight has another version, or when the events would leave a hole. */
const moveOn = async (transaction: Transaction<Schema>, combatId: CombatId, version: number, progress: CombatProgress): Promise<boolean> => {
  const { state, turn, next, ended, events } = progress;
  const { first_seq, last_seq } = seqsOf(events);
  const moved = await transaction
    .updateTable('combats')
    .set({
      version: version + 1,
      told_seq: first_seq - 1,
      last_seq,
      turn,
      actor_id: next?.actorId ?? null,
      deadline_ms: next?.deadlineMs ?? null,
      state: json(state),
      ...(ended === null ? {} : { status: 'ended' as const, outcome: ended, ended_at_ms: sql<number>`now_ms()` }),
    })
    .where('combat_id', '=', combatId)
    .where('version', '=', version)
    .where('last_seq', '=', first_seq - 1)
    .executeTakeFirst();
  return moved.numUpdatedRows === 1n;
};

const closeCombatants = async (transaction: Transaction<Schema>, combatId: CombatId, combatants: CombatProgress['combatants']): Promise<void> => {
  const ids = combatants.map(({ characterId }) => characterId);
  const healths = combatants.map(({ health }) => health);
  await sql`
    update combatants b set open = false, health = least(f.health, b.health_max)
    from unnest(${ids}::text[], ${healths}::int4[]) as f (character_id, health)
    where b.combat_id = ${combatId} and b.character_id = f.character_id`.execute(transaction);
};
