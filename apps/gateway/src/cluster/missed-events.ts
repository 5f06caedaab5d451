import type { RoomName } from '@skirmish/protocol';
import type { RealmKeys, Redis } from '@skirmish/redis';
import { compareStreamIds, logRetentionMs, msOfStreamId } from '@skirmish/redis';
import type { ResumeAnswer } from './directory-operations.ts';
import { type LogRange, readLogPage } from './log-pages.ts';
import type { Stay } from './session-script.ts';

/** A critical event that a client missed, under its realm-clock id. */
export interface MissedEvent {
  readonly id: string;
  readonly event: string;
  readonly payload: object;
}

/**
 * What a room is to a session that comes back, by what the server knows now: its `member`; a room of the `past`, whose ended stays are
 * still its own; or `revoked`, of which it hears nothing more, not even what was said while it belonged.
 */
export type Standing = 'member' | 'past' | 'revoked';

export interface MissedQuestion {
  readonly redis: Redis;
  readonly keys: RealmKeys;
  readonly answer: Extract<ResumeAnswer, { resumed: true }>;
  /** Position that the client came back with. */
  readonly offset: string;
  /** Clock of the registration: what is later comes through the inbox. */
  readonly position: string;
  readonly standing: (room: RoomName) => Standing;
  readonly entriesMax: number;
  readonly bytesMax: number;
  readonly resumeWindowMs: number;
}

export type MissedAnswer =
  /** `bytes`: of the JSON of all entries that were read. */
  | { complete: true; events: MissedEvent[]; bytes: number }
  | { complete: false; reason: 'entries' | 'bytes' | 'window' };

const pageEntries = 500;
const pageBytes = 1_048_576;

/**
 * Reads what a session missed: the logs of its rooms between its position and the clock of its registration, within its stays, in pages,
 * merged by id, each event once. Complete or nothing: beyond a bound the answer is why not.
 */
export async function readMissed(question: MissedQuestion): Promise<MissedAnswer> {
  const { redis, keys, answer, offset, position, standing, entriesMax, bytesMax, resumeWindowMs } = question;
  const startedAt = performance.now();
  const stays = staysOf(answer, standing);
  const found = new Map<string, string>();
  let bytes = 0;
  let ranges: readonly LogRange[] = rangesOf(stays, keys, offset, position);
  while (ranges.length > 0) {
    const page = await readLogPage(redis, ranges, Math.min(pageEntries, entriesMax - found.size + 1), Math.min(pageBytes, bytesMax - bytes + 1));
    for (const [id, data] of page.entries) {
      if (found.has(id)) continue;
      found.set(id, data);
      bytes += Buffer.byteLength(data);
    }
    if (found.size > entriesMax) return { complete: false, reason: 'entries' };
    if (bytes > bytesMax) return { complete: false, reason: 'bytes' };
    ranges = page.rest;
  }
  // Trimmed meanwhile: what was kept from the beginning on may be gone.
  const oldestKeptMs = answer.nowMs + (performance.now() - startedAt) - logRetentionMs(resumeWindowMs);
  if (msOfStreamId(offset) < oldestKeptMs) return { complete: false, reason: 'window' };
  const events = [...found].sort(([a], [b]) => compareStreamIds(a, b)).flatMap(([id, data]) => eventOf(id, data, answer));
  return { complete: true, events, bytes };
}

/** The rooms that a resumed session stays in. */
export function keptRooms(answer: Extract<ResumeAnswer, { resumed: true }>, standing: MissedQuestion['standing']): RoomName[] {
  const open = Object.entries(answer.rooms).filter(([, stays]) => isOpen(stays));
  return open.map(([room]) => room as RoomName).filter((room) => standing(room) === 'member');
}

/** The rooms that it was in and may not stay in. */
export function lostRooms(answer: Extract<ResumeAnswer, { resumed: true }>, standing: MissedQuestion['standing']): RoomName[] {
  const rooms = Object.keys(answer.rooms) as RoomName[];
  return rooms.filter((room) => standing(room) !== 'member');
}

const isOpen = (stays: readonly Stay[]): boolean => stays.at(-1)?.[1] === '';

function staysOf({ rooms }: { rooms: Record<string, Stay[]> }, standing: MissedQuestion['standing']): Map<string, Stay[]> {
  const stays = new Map<string, Stay[]>();
  for (const [room, all] of Object.entries(rooms)) {
    const now = standing(room as RoomName);
    if (now === 'member') stays.set(room, all);
    if (now === 'past') stays.set(room, all.filter(([, until]) => until !== ''));
  }
  return stays;
}

function rangesOf(stays: ReadonlyMap<string, Stay[]>, keys: RealmKeys, offset: string, position: string): LogRange[] {
  const ranges: LogRange[] = [];
  for (const [room, all] of stays) {
    for (const [since, until] of all) {
      const after = compareStreamIds(since, offset) > 0 ? since : offset;
      const upTo = until === '' ? position : until;
      if (compareStreamIds(after, upTo) < 0) ranges.push({ key: keys.log(room as RoomName), after, upTo });
    }
  }
  return ranges;
}

/** None for an entry that leaves this session out, or that nobody can read. */
function eventOf(id: string, data: string, { rooms, sockets }: MissedQuestion['answer']): MissedEvent[] {
  const entry = parseEntry(data);
  if (!entry) return [];
  const isOne = (name: string): boolean => sockets.includes(name) || (Object.hasOwn(rooms, name) && rooms[name]?.some((stay) => covers(stay, id)) === true);
  if (entry.except.some(isOne)) return [];
  return [{ id, event: entry.event, payload: entry.payload }];
}

function covers([since, until]: Stay, id: string): boolean {
  return compareStreamIds(since, id) < 0 && (until === '' || compareStreamIds(id, until) <= 0);
}

function parseEntry(data: string): { event: string; payload: object; except: string[] } | null {
  try {
    const { packet, opts } = JSON.parse(data) as { packet?: { data?: unknown[] }; opts?: { except?: unknown } };
    const [event, payload] = packet?.data ?? [];
    if (typeof event !== 'string' || typeof payload !== 'object' || payload === null) return null;
    return { event, payload, except: Array.isArray(opts?.except) ? opts.except.map(String) : [] };
  } catch {
    return null;
  }
}
