import type { ZoneId } from '@skirmish/protocol';
import { roomOf } from '@skirmish/protocol';
import fc from 'fast-check';
import type { Farewell } from './_presence-client.ts';

/** One thing that happens in a round; all of a round begin together, those of one user happen one after the other. */
export type Happening = { afterMs: number } & (
  /** `waits`: nothing else of this user happens until it is in. */
  | { what: 'connect'; user: number; slot: number; rooms: number[]; zone: number; waits: boolean }
  | { what: 'end'; user: number; client: number; how: Farewell }
  | { what: 'bounce'; user: number; client: number }
  | { what: 'give-up'; user: number; slot: number; ms: number }
  | { what: 'join' | 'leave'; user: number; room: number }
  | { what: 'join-here' | 'leave-here'; user: number; client: number; room: number }
  | { what: 'travel'; user: number; zone: number }
  | { what: 'kick'; user: number }
  | { what: 'crash' | 'stop' | 'start'; slot: number }
  | { what: 'freeze' | 'swallow' | 'hold'; slot: number; ms: number }
  | { what: 'cut-redis'; slot: number }
  | { what: 'say'; named: number }
  | { what: 'flush' | 'restart' }
);

/** Changed by emissions only; a room of `hereRooms` only by its own gateway, because the two ways have no order among them. */
export const emittedRooms = ['p1', 'p2', 'p3'].map((id) => roomOf.party(id as never));
export const hereRooms = ['h1', 'h2'].map((id) => roomOf.combat(id as never));
export const zones: (ZoneId | null)[] = ['meadow' as ZoneId, 'forest' as ZoneId, null];
export const slots = 3;
/** Of one user; a ghost that is not condemned yet counts too, and nobody may be closed for its sake. */
export const clientsMax = 2;

/** The n-th of a list that is not empty, counted round. */
export function pick<T>(from: readonly T[], n: number): T {
  const index = n % from.length;
  if (!(index in from)) throw new RangeError('nothing to pick from');
  return from[index] as T;
}

const user = fc.nat(4);
const client = fc.nat(1);
const slot = fc.nat(2);
const room = fc.nat(4);
const afterMs = fc.oneof(fc.constant(0), fc.nat(80));
const how = fc.constantFrom('disconnect', 'close', 'cut');
const of = <T>(what: T, more: object) => fc.record({ what: fc.constant(what), afterMs, ...more }, { noNullPrototype: true }) as fc.Arbitrary<Happening>;

const happening: fc.Arbitrary<Happening> = fc.oneof(
  { weight: 8, arbitrary: of('connect', { user, slot, rooms: fc.uniqueArray(room, { maxLength: 4 }), zone: fc.nat(2), waits: fc.boolean() }) },
  { weight: 3, arbitrary: of('end', { user, client, how }) },
  { weight: 2, arbitrary: of('bounce', { user, client }) },
  { weight: 2, arbitrary: of('give-up', { user, slot, ms: fc.nat(40) }) },
  { weight: 4, arbitrary: of('join', { user, room }) },
  { weight: 4, arbitrary: of('leave', { user, room }) },
  { weight: 2, arbitrary: of('join-here', { user, client, room }) },
  { weight: 2, arbitrary: of('leave-here', { user, client, room }) },
  { weight: 3, arbitrary: of('travel', { user, zone: fc.nat(2) }) },
  { weight: 1, arbitrary: of('kick', { user }) },
  { weight: 1, arbitrary: of('crash', { slot }) },
  { weight: 1, arbitrary: of('stop', { slot }) },
  { weight: 2, arbitrary: of('start', { slot }) },
  { weight: 1, arbitrary: of('freeze', { slot, ms: fc.constantFrom(100, 400, 1500) }) },
  { weight: 1, arbitrary: of('swallow', { slot, ms: fc.constantFrom(50, 400, 1500) }) },
  { weight: 1, arbitrary: of('cut-redis', { slot }) },
  { weight: 4, arbitrary: of('say', { named: fc.nat(9999) }) },
  { weight: 1, arbitrary: of('hold', { slot, ms: fc.constantFrom(50, 300, 1300) }) },
  { weight: 1, arbitrary: of('flush', {}) },
  { weight: 1, arbitrary: of('restart', {}) },
);
/** Rounds of happenings: long enough to meet, short enough for a test. */
export const history = fc.array(fc.array(happening, { minLength: 4, maxLength: 14, size: "max" }), { minLength: 2, maxLength: 5, size: "max" });
