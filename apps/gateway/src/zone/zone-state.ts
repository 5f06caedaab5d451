import type { CharacterId, CharacterSeen, CharacterStatus, IncarnationId, ServerPayload, ZoneId } from '@skirmish/protocol';
import { appearAt, decideMove, takenOver, type Move, type MoveDecision, type MoverState } from '../character/movement-rules.ts';
import { Changes } from './changes.ts';
import type { ClaimedCharacter, MovedRow, Publication } from './publication.ts';

/** A session that wants to control its character here. */
export interface Claimant {
  readonly socketId: string;
  readonly connectedAtMs: number;
  readonly character: CharacterSeen;
}

export interface ZoneInfo {
  readonly id: ZoneId;
  readonly width: number;
  readonly height: number;
}

type Owner = IncarnationId | null;
interface Known extends ClaimedCharacter {
  readonly owner: Owner;
  /** When this gateway learned of its place, milliseconds; of its own characters, when it took them over. */
  readonly placedAtMs: number;
}
type Tick = ServerPayload<'zone:tick'>;

/** The owner of characters that sessions of this gateway control. */
const here = null;

/** Another gateway that says nothing for this long (three keyframes) is taken to have no one in the zone. */
const silentAfterMs = 6_000;

/**
 * Who is in one zone and where, as far as this gateway knows: its own characters, and what the others published.
 *
 * A character is controlled by the newest session of its user, wherever that is: the greater claim wins. Nothing here does
 * I/O; the ticker carries changes out.
 */
export class ZoneState {
  readonly info: ZoneInfo;
  readonly #here: () => IncarnationId;
  readonly #known = new Map<CharacterId, Known>();
  readonly #movers = new Map<CharacterId, MoverState>();
  readonly #claimants = new Map<CharacterId, Claimant[]>();
  readonly #heardAtMs = new Map<IncarnationId, number>();
  readonly #forClients = new Changes();
  readonly #forGateways = new Changes();

  constructor(info: ZoneInfo, here: () => IncarnationId) {
    this.info = info;
    this.#here = here;
  }

  /** Whether a session of this gateway is in the zone. */
  get isInhabited(): boolean {
    return this.#claimants.size > 0;
  }

  characters(): CharacterSeen[] {
    return [...this.#known.values()].map(seen);
  }

  positionOf(id: CharacterId): { x: number; y: number } | null {
    const known = this.#known.get(id);
    return known ? { x: known.x, y: known.y } : null;
  }

  enter(claimant: Claimant, nowMs: number): void {
    const id = claimant.character.characterId;
    const others = this.#claimants.get(id) ?? [];
    this.#claimants.set(id, [...others, claimant].sort((a, b) => a.connectedAtMs - b.connectedAtMs));
    this.#claim(id, nowMs);
  }

  leave(claimant: Claimant, nowMs: number): void {
    const id = claimant.character.characterId;
    const rest = this.#claimants.get(id)?.filter(({ socketId }) => socketId !== claimant.socketId) ?? [];
    const controlled = this.#controls(claimant);
    if (rest.length > 0) this.#claimants.set(id, rest);
    else this.#claimants.delete(id);
    if (!controlled) return;
    if (rest.length > 0) return this.#claim(id, nowMs);
    this.#movers.delete(id);
    this.#forget(id);
    this.#forGateways.leave(id);
  }

  /** Moves the character of a session; `stale` when a newer session controls it. */
  move(claimant: Claimant, move: Move, nowMs: number): MoveDecision | { readonly kind: 'stale' } {
    const id = claimant.character.characterId;
    const known = this.#known.get(id);
    const state = this.#movers.get(id);
    if (!known || !state || !this.#controls(claimant)) return { kind: 'stale' };
    const decision = decideMove(state, move, this.info, nowMs);
    if (decision.kind !== 'accepted') return decision;
    const { x, y, facing } = decision.state;
    this.#movers.set(id, decision.state);
    this.#known.set(id, { ...known, x, y, facing });
    this.#forClients.move(id);
    this.#forGateways.move(id);
    return decision;
  }

  /** Sets the status of the character of a session; nothing happens when a newer session controls it. */
  setStatus(claimant: Claimant, status: CharacterStatus): void {
    const id = claimant.character.characterId;
    const known = this.#known.get(id);
    if (!known || !this.#controls(claimant)) return;
    this.#know({ ...known, status });
    this.#forGateways.enter(id);
  }

  /** Takes in what another gateway published; its newest word about its own characters counts. */
  receive(publication: Publication, nowMs: number): void {
    const { from } = publication;
    this.#heardAtMs.set(from, nowMs);
    for (const character of publication.entered) this.#appeared(character, from, nowMs);
    for (const [id, x, y, facing] of publication.moved) {
      const known = this.#known.get(id);
      if (known?.owner !== from) continue;
      this.#known.set(id, { ...known, x, y, facing, placedAtMs: nowMs });
      this.#forClients.move(id);
    }
    for (const id of publication.left) this.#disappeared(id, from, nowMs);
    if (publication.keyframe) {
      const present = new Set(publication.entered.map(({ characterId }) => characterId));
      this.#dropOf(from, nowMs, (id) => !present.has(id));
    }
  }

  /** Drops the characters of gateways that fell silent. */
  sweep(nowMs: number): void {
    for (const [from, heardAtMs] of this.#heardAtMs) {
      if (nowMs - heardAtMs <= silentAfterMs) continue;
      this.#heardAtMs.delete(from);
      this.#dropOf(from, nowMs, () => true);
    }
  }

  /** What the clients here should hear now, or null; a keyframe has everybody's position. */
  takeTick(tick: number, atMs: number, keyframe: boolean): Tick | null {
    const changes = this.#forClients;
    if (!keyframe && changes.isEmpty) return null;
    const moved = keyframe ? [...this.#known.keys()] : [...changes.moved];
    const payload: Tick = {
      zoneId: this.info.id,
      tick,
      atMs,
      moved: this.#pick(moved).map((known) => [...row(known)]),
      entered: this.#pick(changes.entered).map(seen),
      left: [...changes.left],
      keyframe,
    };
    changes.clear();
    return payload;
  }

  /** What the other gateways should hear now, or null. */
  takePublication(keyframe: boolean, hello: boolean): Publication | null {
    const changes = this.#forGateways;
    if (!keyframe && !hello && changes.isEmpty) return null;
    const entered = keyframe ? [...this.#known.values()].filter(({ owner }) => owner === here) : this.#pick(changes.entered);
    const publication: Publication = {
      v: 1,
      kind: 'positions',
      from: this.#here(),
      keyframe,
      hello,
      entered: entered.map((known) => ({ ...seen(known), claimMs: known.claimMs })),
      moved: keyframe ? [] : this.#pick(changes.moved).map(row),
      left: [...changes.left],
    };
    changes.clear();
    return publication;
  }

  #controls({ socketId, character }: Claimant): boolean {
    const id = character.characterId;
    return this.#known.get(id)?.owner === here && this.#known.has(id) && this.#claimants.get(id)?.at(-1)?.socketId === socketId;
  }

  /** Gives control to the newest session here, unless a newer one elsewhere has it. */
  #claim(id: CharacterId, nowMs: number): void {
    const newest = this.#claimants.get(id)?.at(-1);
    if (!newest) return;
    const known = this.#known.get(id);
    if (known && known.owner !== here && known.claimMs > newest.connectedAtMs) return;
    const place = known ?? newest.character;
    // A new session counts its moves anew, but does not get a new reserve of distance.
    const before = this.#movers.get(id);
    const appeared = known ? takenOver(known, known.placedAtMs, nowMs) : appearAt(place, nowMs);
    this.#movers.set(id, before ? { ...before, seq: -1 } : appeared);
    const { x, y, facing } = place;
    this.#know({ ...newest.character, x, y, facing, claimMs: newest.connectedAtMs, owner: here, placedAtMs: nowMs });
    this.#forGateways.enter(id);
  }

  /** Clients hear of a character when it is new, and once more when its status is. */
  #know(character: Known): void {
    const before = this.#known.get(character.characterId);
    this.#known.set(character.characterId, character);
    if (before?.status !== character.status) this.#forClients.enter(character.characterId);
  }

  #appeared(character: ClaimedCharacter, from: IncarnationId, nowMs: number): void {
    const id = character.characterId;
    const known = this.#known.get(id);
    if (known?.owner === here && !this.#yields(known, character, from)) return;
    if (known && known.owner !== here && known.owner !== from && known.claimMs > character.claimMs) return;
    if (known?.owner === here) this.#movers.delete(id);
    const isInPlace = known?.x === character.x && known.y === character.y;
    this.#know({ ...character, owner: from, placedAtMs: isInPlace ? known.placedAtMs : nowMs });
    this.#forClients.move(id);
    // The owner's newest session may have gone and left an older one in control than the one that waits here.
    const waiting = this.#claimants.get(id)?.at(-1);
    if (waiting && waiting.connectedAtMs > character.claimMs) this.#claim(id, nowMs);
  }

  /** Equal claims need one winner that both sides agree on. */
  #yields(own: Known, other: ClaimedCharacter, from: IncarnationId): boolean {
    return other.claimMs > own.claimMs || (other.claimMs === own.claimMs && from > this.#here());
  }

  #disappeared(id: CharacterId, from: IncarnationId, nowMs: number): void {
    if (this.#known.get(id)?.owner !== from) return;
    const last = this.#known.get(id);
    if (this.#claimants.has(id) && last) {
      // An older session waits here: it takes over where the newer one stood.
      this.#known.set(id, { ...last, claimMs: 0 });
      return this.#claim(id, nowMs);
    }
    this.#forget(id);
  }

  #dropOf(from: IncarnationId, nowMs: number, which: (id: CharacterId) => boolean): void {
    for (const [id, { owner }] of this.#known) {
      if (owner === from && which(id)) this.#disappeared(id, from, nowMs);
    }
  }

  #forget(id: CharacterId): void {
    this.#known.delete(id);
    this.#forClients.leave(id);
  }

  #pick(ids: Iterable<CharacterId>): Known[] {
    return [...ids].flatMap((id) => this.#known.get(id) ?? []);
  }
}

const row = (known: Known): MovedRow => [known.characterId, known.x, known.y, known.facing];

function seen({ characterId, userId, name, x, y, facing, status }: Known): CharacterSeen {
  return { characterId, userId, name, x, y, facing, status };
}
