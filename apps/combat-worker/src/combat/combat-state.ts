import type { CharacterId, CombatId, UserId } from '@skirmish/protocol';

/** One side's member, as the rules see it. `abandoned` and `defeated` fighters neither act nor can be hit. */
export type Fighter = {
  readonly characterId: CharacterId;
  readonly userId: UserId;
  readonly name: string;
  readonly side: number;
  readonly health: number;
  readonly healthMax: number;
  readonly standing: 'fighting' | 'defeated' | 'abandoned';
  readonly timeoutsInARow: number;
};

export type Outcome = 'victory' | 'fled' | 'abandoned';

export type Phase =
  | { readonly kind: 'open'; readonly turn: number; readonly actorId: CharacterId; readonly deadlineMs: number }
  | { readonly kind: 'ended'; readonly turn: number; readonly outcome: Outcome; readonly winners: readonly CharacterId[] };

/** Everything the rules need to know of a fight, except its seed. It is stored as JSON, so it holds nothing but plain values. */
export type CombatState = {
  readonly balanceVersion: number;
  readonly combatId: CombatId;
  readonly fighters: readonly Fighter[];
  readonly order: readonly CharacterId[];
  readonly seq: number;
  readonly phase: Phase;
};

export type Action = {
  readonly kind: 'attack' | 'defend' | 'ability' | 'flee' | 'pass';
  readonly abilityId?: string | undefined;
  readonly targetId?: CharacterId | undefined;
};

/** What was done in a turn, as it is told: `timedOut` marks a pass that nobody asked for. */
export type DoneAction =
  | { readonly kind: 'attack'; readonly targetId: CharacterId }
  | { readonly kind: 'pass'; readonly timedOut?: true };

export type Effect = {
  readonly kind: 'damage';
  readonly from: CharacterId;
  readonly to: CharacterId;
  readonly amount: number;
  readonly critical: boolean;
  readonly health: number;
};

export type StartedPayload = {
  readonly combatId: CombatId;
  readonly seq: number;
  readonly combatants: readonly Pick<Fighter, 'characterId' | 'userId' | 'name' | 'side' | 'health' | 'healthMax'>[];
  readonly order: readonly CharacterId[];
  readonly turn: number;
  readonly actorId: CharacterId;
  readonly deadlineMs: number;
  readonly seedHash: string;
};

export type ResolvedPayload = {
  readonly combatId: CombatId;
  readonly seq: number;
  readonly turn: number;
  readonly commandId: string;
  readonly actorId: CharacterId;
  readonly action: DoneAction;
  readonly effects: readonly Effect[];
  readonly next: { readonly turn: number; readonly actorId: CharacterId; readonly deadlineMs: number } | null;
};

export type EndedPayload = {
  readonly combatId: CombatId;
  readonly seq: number;
  readonly outcome: Outcome;
  readonly winners: readonly CharacterId[];
  readonly rewards: readonly { readonly characterId: CharacterId; readonly experience: number; readonly gold: number }[];
  readonly seed: string;
};

export type CombatEvent =
  | { readonly type: 'combat:started'; readonly payload: StartedPayload }
  | { readonly type: 'combat:resolved'; readonly payload: ResolvedPayload }
  | { readonly type: 'combat:ended'; readonly payload: EndedPayload };
