import { sql } from 'kysely';
import type { CharacterId, CombatId, RealmId, UserId } from '@skirmish/protocol';
import type { CombatCommandKey, CombatEntrant, CombatOutcome, StoredCombat, StoredCombatEvent } from './combat-records.ts';
import type { Database } from './database.ts';
import { shownName } from './shown-name.ts';

/** The characters that exist among `characterIds`, in no particular order. */
export const loadEntrants = async (database: Database, characterIds: readonly string[]): Promise<CombatEntrant[]> => {
  const { rows } = await sql<{ character_id: string; user_id: string; name: string; open_combats: number }>`
    select c.character_id, c.user_id, c.name,
      (select count(*)::int4 from combatants b where b.character_id = c.character_id and b.open) as open_combats
    from characters c where c.character_id = any(${[...characterIds]})`.execute(database.db);
  return rows.map((row) => ({
    characterId: row.character_id as CharacterId,
    userId: row.user_id as UserId,
    name: shownName(row.name),
    openCombats: row.open_combats,
  }));
};

interface CombatRow {
  combat_id: string;
  realm: string;
  version: number;
  last_seq: number;
  seed: string;
  state: unknown;
  user_ids: string[];
  untold: StoredCombatEvent[];
  known: boolean;
  first_seq: number | null;
  command_last_seq: number | null;
  refusal: string | null;
}

/** The fight, what may not have been told of it, and what became of the command if it was committed before; null when there is no such fight. One query. */
export const loadCombat = async (database: Database, combatId: CombatId, command: CombatCommandKey): Promise<StoredCombat | null> => {
  const { rows } = await sql<CombatRow>`
    select c.combat_id, c.realm, c.version, c.last_seq, c.seed, c.state,
      array(select distinct b.user_id::text from combatants b where b.combat_id = c.combat_id and b.user_id is not null) as user_ids,
      (select coalesce(json_agg(json_build_object('seq', e.seq, 'type', e.type, 'payload', e.payload) order by e.seq), '[]')
        from combat_events e where e.combat_id = c.combat_id and e.seq > c.told_seq) as untold,
      k.command_id is not null as known, k.first_seq, k.last_seq as command_last_seq, k.refusal
    from combats c
    left join combat_commands k on k.combat_id = c.combat_id
      and k.kind = ${command.kind} and k.user_id = ${command.userId} and k.command_id = ${command.commandId}
    where c.combat_id = ${combatId}`.execute(database.db);
  const [row] = rows;
  if (row === undefined) return null;
  return {
    combatId: row.combat_id as CombatId,
    realm: row.realm as RealmId,
    version: row.version,
    lastSeq: row.last_seq,
    seed: row.seed,
    state: row.state,
    userIds: row.user_ids as UserId[],
    untold: row.untold,
    outcome: row.known ? outcomeOf(row) : null,
  };
};

const outcomeOf = ({ first_seq, command_last_seq, refusal }: CombatRow): CombatOutcome =>
  refusal === null ? { kind: 'resolved', firstSeq: first_seq ?? 0, lastSeq: command_last_seq ?? 0 } : { kind: 'refused', code: refusal };

/** Fights whose turn ran out before `beforeMs` and that nobody has moved on, the longest overdue first; at most `limit`, behind the first `offset` (default 0). */
export const overdueCombats = async (
  database: Database,
  query: { readonly realm: RealmId; readonly beforeMs: number; readonly limit: number; readonly offset?: number },
): Promise<{ readonly combatId: CombatId; readonly turn: number }[]> => {
  const rows = await database.db
    .selectFrom('combats')
    .select(['combat_id', 'turn'])
    .where('realm', '=', query.realm)
    .where('deadline_ms', '<', query.beforeMs)
    .where('status', '=', 'open')
    .orderBy('deadline_ms')
    .limit(query.limit)
    .offset(query.offset ?? 0)
    .execute();
  return rows.map((row) => ({ combatId: row.combat_id as CombatId, turn: row.turn }));
};

/** The log of a fight after `afterSeq`, in order, at most `limit` events; `complete` when it reaches the newest. Null when there is no such fight. */
export const combatLog = async (
  database: Database,
  query: { readonly combatId: CombatId; readonly afterSeq: number; readonly limit: number },
): Promise<{ readonly events: readonly StoredCombatEvent[]; readonly complete: boolean } | null> => {
  const combat = await database.db.selectFrom('combats').select('last_seq').where('combat_id', '=', query.combatId).executeTakeFirst();
  if (combat === undefined) return null;
  const events = await database.db
    .selectFrom('combat_events')
    .select(['seq', 'type', 'payload'])
    .where('combat_id', '=', query.combatId)
    .where('seq', '>', query.afterSeq)
    .orderBy('seq')
    .limit(query.limit)
    .execute();
  return { events, complete: Math.max(query.afterSeq, events.at(-1)?.seq ?? 0) >= combat.last_seq };
};
