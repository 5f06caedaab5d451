/** Where a character stands and how far it may have walked since. Distances are world units, angles radians. */
export interface MoverState {
  readonly seq: number;
  readonly x: number;
  readonly y: number;
  readonly facing: number;
  /** Distance that may still be covered at once; grows with time. */
  readonly reserve: number;
  readonly reserveAtMs: number;
}

export interface Move {
  readonly seq: number;
  readonly x: number;
  readonly y: number;
  readonly facing?: number | undefined;
}

export interface Bounds {
  readonly width: number;
  readonly height: number;
}

export type MoveDecision =
  | { readonly kind: 'accepted'; readonly state: MoverState }
  | { readonly kind: 'corrected'; readonly code: 'character/out-of-bounds' | 'character/too-fast' }
  | { readonly kind: 'outdated' };

export const movementLimits = {
  speedMaxUnitsPerSecond: 50,
  /** Clocks drift and packets bunch up: the reserve refills a little faster than a character walks. */
  speedTolerance: 1.2,
  /** The reserve is never greater, so that a displacement above it is always corrected, however long the silence was. */
  displacementMaxUnits: 150,
  /** What a character walks in a third of a second, in which its new gateway may not have heard of it yet. */
  takeoverUnits: 20,
} as const;

/** The state of a character that appears at a place: its first packets may come bunched, so the reserve is full. */
export function appearAt(place: { x: number; y: number; facing?: number }, nowMs: number): MoverState {
  return { seq: -1, x: place.x, y: place.y, facing: place.facing ?? 0, reserve: movementLimits.displacementMaxUnits, reserveAtMs: nowMs };
}

/**
 * The state of a character that was at a place on another gateway at `placedAtMs`. Only what it may have walked since is in reserve: with a full one
 * somebody who connects to one gateway after the other would be as fast as he connects.
 */
export function takenOver(place: { x: number; y: number; facing: number }, placedAtMs: number, nowMs: number): MoverState {
  const reserve = Math.min(movementLimits.displacementMaxUnits, movementLimits.takeoverUnits + refillOf(nowMs - placedAtMs));
  return { ...appearAt(place, nowMs), reserve };
}

function refillOf(elapsedMs: number): number {
  return (Math.max(0, elapsedMs) * movementLimits.speedMaxUnitsPerSecond * movementLimits.speedTolerance) / 1000;
}

/**
 * Decides one move: inside the zone, and no farther than the reserve of distance allows.
 *
 * The reserve refills at walking speed with a tolerance, so 5 units per 100 ms always pass, also after a pause of the
 * network, and nobody is faster on the average. A `seq` that does not grow is outdated: it has no effect.
 */
export function decideMove(state: MoverState, move: Move, bounds: Bounds, nowMs: number): MoveDecision {
  if (move.seq <= state.seq) return { kind: 'outdated' };
  if (move.x < 0 || move.y < 0 || move.x > bounds.width || move.y > bounds.height) {
    return { kind: 'corrected', code: 'character/out-of-bounds' };
  }
  const reserve = Math.min(movementLimits.displacementMaxUnits, state.reserve + refillOf(nowMs - state.reserveAtMs));
  const distance = Math.hypot(move.x - state.x, move.y - state.y);
  if (distance > reserve) return { kind: 'corrected', code: 'character/too-fast' };
  return {
    kind: 'accepted',
    state: { seq: move.seq, x: move.x, y: move.y, facing: move.facing ?? state.facing, reserve: reserve - distance, reserveAtMs: nowMs },
  };
}
