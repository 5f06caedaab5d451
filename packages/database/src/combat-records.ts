import type { CharacterId, CombatId, RealmId, UserId, ZoneId } from '@skirmish/protocol';

/** One event as it was told: the wire name and the object. */
export interface StoredCombatEvent {
  readonly seq: number;
  readonly type: string;
  readonly payload: Record<string, unknown>;
}

/** Under what a step is remembered: it has one effect, however often it runs. `userId` is empty for a timer. */
export interface CombatCommandKey {
  readonly kind: string;
  readonly userId: string;
  readonly commandId: string;
}

/** What became of a command that was committed before. */
export type CombatOutcome =
  | { readonly kind: 'resolved'; readonly firstSeq: number; readonly lastSeq: number }
  | { readonly kind: 'refused'; readonly code: string };

/** A fight as the worker left it. */
export interface StoredCombat {
  readonly combatId: CombatId;
  readonly realm: RealmId;
  readonly version: number;
  readonly lastSeq: number;
  readonly seed: string;
  /** What the rules stored. */
  readonly state: unknown;
  readonly userIds: readonly UserId[];
  /** The events that may not have been told yet, in order. */
  readonly untold: readonly StoredCombatEvent[];
  /** Of the command that was asked for; null when it is new. */
  readonly outcome: CombatOutcome | null;
}

/** What a step makes of a fight. */
export interface CombatProgress {
  readonly state: unknown;
  readonly turn: number;
  /** Null when the fight is over. */
  readonly next: { readonly actorId: string; readonly deadlineMs: number } | null;
  /** How the fight ended; null while it goes on. */
  readonly ended: string | null;
  /** At least one, numbered on from the last one of the fight. */
  readonly events: readonly StoredCombatEvent[];
  readonly combatants: readonly { readonly characterId: string; readonly health: number }[];
}

export interface NewCombat {
  readonly combatId: CombatId;
  readonly realm: RealmId;
  readonly zoneId: ZoneId;
  readonly seed: string;
  readonly command: CombatCommandKey;
  readonly progress: CombatProgress;
  readonly combatants: readonly {
    readonly characterId: string;
    readonly userId: string;
    readonly name: string;
    readonly side: number;
    readonly health: number;
    readonly healthMax: number;
  }[];
}

/** A character as it may enter a fight, with the number of fights that it is in. */
export interface CombatEntrant {
  readonly characterId: CharacterId;
  readonly userId: UserId;
  readonly name: string;
  readonly openCombats: number;
}

/** `repeated`: the command had been committed before, nothing was changed. `stale`: somebody else moved the fight on, load it again. */
export type CommitResult = 'committed' | 'repeated' | 'stale';
