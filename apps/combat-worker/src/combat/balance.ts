/** What a weapon does: damage before chance, the spread around it (0.2 = ±20 %), and how often a hit is critical. */
export type Weapon = {
  readonly damage: number;
  readonly variance: number;
  readonly criticalChance: number;
  readonly criticalFactor: number;
};

/** The numbers of the game. Nothing in here is code: a designer changes this file and no other. */
export type Balance = {
  readonly version: number;
  readonly healthMax: number;
  readonly weapons: Readonly<Record<string, Weapon>>;
  readonly abilities: { readonly attack: { readonly weapon: string; readonly damageMin: number } };
  readonly initiative: { readonly base: number; readonly spread: number };
  readonly fightersMax: number;
  /** Fights that one character can be in at the same time. */
  readonly openFightsMax: number;
  readonly turnsMax: number;
  readonly timeoutsInARowMax: number;
  readonly rewards: { readonly experience: number; readonly gold: number };
};

/** The balance that is played now; `version` is stored with every fight. */
export const balance: Balance = {
  version: 1,
  healthMax: 100,
  weapons: {
    'training-sword': { damage: 20, variance: 0.2, criticalChance: 0.1, criticalFactor: 2 },
  },
  abilities: {
    attack: { weapon: 'training-sword', damageMin: 1 },
  },
  initiative: { base: 10, spread: 10 },
  fightersMax: 16,
  openFightsMax: 5,
  turnsMax: 200,
  timeoutsInARowMax: 3,
  rewards: { experience: 50, gold: 10 },
};
