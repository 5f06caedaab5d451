import type { RoomName } from '@skirmish/protocol';

export interface RoomChange {
  op: 'add' | 'remove';
  room: RoomName;
}

export interface RoomBeliefOptions {
  /** Whether a local socket is in the room now. */
  hasMembers: (room: RoomName) => boolean;
  /** How long an entry outlives its last member, milliseconds: a player who comes straight back costs nothing. */
  lingerMs: number;
}

/**
 * What Redis is believed to hold of this gateway's rooms, and what has to change so that it holds what is true.
 * Connections on their way count as members. An entry whose last write has no known outcome is uncertain: it is written again either way.
 */
export class RoomBelief {
  readonly #options: RoomBeliefOptions;
  readonly #believed = new Set<RoomName>();
  readonly #uncertain = new Set<RoomName>();
  readonly #dirty = new Set<RoomName>();
  readonly #lingering = new Map<RoomName, number>();
  readonly #expected = new Map<RoomName, number>();

  constructor(options: RoomBeliefOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#believed.size;
  }

  get isSettled(): boolean {
    return this.#dirty.size === 0;
  }

  /** A connection on its way will be a member. */
  expect(rooms: readonly RoomName[]): void {
    for (const room of rooms) this.#expected.set(room, (this.#expected.get(room) ?? 0) + 1);
  }

  /** It is one now, or will never be. */
  release(rooms: readonly RoomName[]): void {
    for (const room of rooms) {
      const left = (this.#expected.get(room) ?? 1) - 1;
      if (left > 0) this.#expected.set(room, left);
      else this.#expected.delete(room);
      this.#dirty.add(room);
    }
  }

  touch(room: RoomName): void {
    this.#dirty.add(room);
  }

  /** Redis holds these entries, by our own write or by an emission's. */
  entered(rooms: readonly string[]): void {
    for (const room of rooms as readonly RoomName[]) {
      this.#believed.add(room);
      this.#uncertain.delete(room);
    }
  }

  removed(room: RoomName): void {
    this.#believed.delete(room);
    // Touched while the write was under way: an emission may have entered it since.
    if (this.#dirty.has(room)) this.#uncertain.add(room);
    else this.#uncertain.delete(room);
  }

  /** A write of these entries has no known outcome. */
  doubt(rooms: readonly string[]): void {
    for (const room of rooms as readonly RoomName[]) {
      this.#uncertain.add(room);
      this.#dirty.add(room);
    }
  }

  /** Redis holds nothing of ours: whatever is true has to be written again. */
  reset(): void {
    for (const room of this.#believed) this.#dirty.add(room);
    this.#believed.clear();
    this.#uncertain.clear();
    this.#lingering.clear();
    this.#expected.clear();
  }

  /** Looks again at entries whose time to linger is over. */
  tick(now: number): void {
    for (const [room, since] of this.#lingering) if (now - since >= this.#options.lingerMs) this.#dirty.add(room);
  }

  /** Takes up to `max` changes that are due. */
  changes(max: number, now: number): RoomChange[] {
    const changes: RoomChange[] = [];
    for (const room of this.#dirty) {
      if (changes.length >= max) break;
      this.#dirty.delete(room);
      const op = this.#due(room, now);
      if (op) changes.push({ op, room });
    }
    return changes;
  }

  #due(room: RoomName, now: number): RoomChange['op'] | null {
    const held = this.#believed.has(room);
    const uncertain = this.#uncertain.has(room);
    if (this.#expected.has(room) || this.#options.hasMembers(room)) {
      this.#lingering.delete(room);
      return held && !uncertain ? null : 'add';
    }
    if (uncertain) return 'remove';
    if (!held) {
      this.#lingering.delete(room);
      return null;
    }
    const since = this.#lingering.get(room);
    if (since === undefined) this.#lingering.set(room, now);
    if (since === undefined || now - since < this.#options.lingerMs) return null;
    this.#lingering.delete(room);
    return 'remove';
  }
}
