import type { IncarnationId, PartyId, RealmId, RoomName, UserId, ZoneId } from '@skirmish/protocol';
import { escapeUserId } from '@skirmish/protocol';

/**
 * The names of all Redis keys and channels of one realm.
 *
 * Every name begins with the hash tag `{<realm>}:`, so that all keys of a realm live in one slot of a Redis Cluster and a
 * script may touch several of them atomically. Room names come from `roomOf` and hold no unescaped text of users.
 */
export interface RealmKeys {
  /** `{realm}:` itself, for scripts that derive further names. */
  readonly prefix: string;
  readonly clock: string;
  readonly epoch: string;
  readonly gateways: string;
  /** Incarnations whose directory entries are not complete: every emission is written to them. */
  readonly incomplete: string;
  /** Condemned incarnations whose entries have not all been removed yet. */
  readonly condemned: string;
  /** Incarnations whose inbox missed an entry. */
  readonly gapped: string;
  /** Hash: incarnation → revision of its directory entries. */
  readonly revisions: string;
  /** Hash: room → id of the newest event that its log could not take. */
  readonly floors: string;
  /** Hash: escaped user id → what was last announced of a user who is online; of nobody else. */
  readonly presenceAnnounced: string;
  /** Sorted set: escaped user id → when the user's presence last became another than the announced one may be, epoch milliseconds. */
  readonly presenceChanged: string;
  readonly backendEvents: string;
  /** Bounded list of the webhooks that were given up, newest first. */
  readonly webhooksDead: string;
  /** Names the address that wants no more webhooks. */
  readonly webhooksDisabled: string;
  /** Sorted set of all parties by the time of the next look at them, epoch milliseconds. */
  readonly parties: string;
  /** Prefix of the adapter's own Pub/Sub channels (requests between gateways). */
  readonly adapterChannels: string;
  /** Prefix that BullMQ puts before its keys. */
  readonly queuePrefix: string;
  room(this: void, room: RoomName): string;
  /** Hash: socket → who it belongs to, for each member of a room; not for rooms of users. */
  members(this: void, room: RoomName): string;
  roomsOf(this: void, incarnation: IncarnationId): string;
  socketsOf(this: void, incarnation: IncarnationId): string;
  inbox(this: void, incarnation: IncarnationId): string;
  log(this: void, room: RoomName): string;
  /** Stream of the joins and leaves that emissions made to the members of a room; kept like its log. */
  moves(this: void, room: RoomName): string;
  roster(this: void, zone: ZoneId): string;
  user(this: void, user: UserId): string;
  /** A party: version, members, open invitations. */
  party(this: void, party: PartyId): string;
  /** Id of the party that a user is in. */
  partyOf(this: void, user: UserId): string;
  session(this: void, privateId: string): string;
  /** Set of the private ids of a user's sessions, also of those that are away. */
  sessionsOf(this: void, user: UserId): string;
  /** Epoch milliseconds: tokens of the user that were issued before it are void. */
  revoked(this: void, user: UserId): string;
  /** A fresh mark whenever what the database says about a user has changed; kept longer than any cache of it. */
  changed(this: void, user: UserId): string;
  limit(this: void, name: string): string;
  /** What a user may still do of one thing, over all gateways. */
  limitOf(this: void, user: UserId, name: string): string;
  /** Hash: feature → end of the user's mute there, by the clock of Redis. */
  mutes(this: void, user: UserId): string;
  /** Pub/Sub channel of state and ephemeral events of a room. */
  volatile(this: void, room: RoomName): string;
  /** Answer of a command, kept 10 minutes; scope is (user, event). */
  command(this: void, user: UserId, event: string, commandId: string): string;
  /** Marks an emission as done, under the idempotency key of its maker. */
  emitted(this: void, idempotencyKey: string): string;
  /** Highest sequence number that a lane has emitted. */
  laneEmitted(this: void, lane: string): string;
  /** List of pending commands of one lane. */
  lane(this: void, queue: string, key: string): string;
  /** Bookkeeping of one lane (position counter, tries). */
  laneState(this: void, queue: string, key: string): string;
  /** Index of the lanes of a queue that hold commands. */
  lanes(this: void, queue: string): string;
  /** Bounded list of the commands that were given up. */
  laneDead(this: void, queue: string): string;
}

/** Makes the key names of a realm; pure and cheap, call it once per realm and keep the result. */
export function keysOf(realm: RealmId): RealmKeys {
  const prefix = `{${realm}}:`;
  return {
    prefix,
    clock: `${prefix}clock`,
    epoch: `${prefix}epoch`,
    gateways: `${prefix}gateways`,
    incomplete: `${prefix}incomplete`,
    condemned: `${prefix}condemned`,
    gapped: `${prefix}gapped`,
    revisions: `${prefix}revisions`,
    floors: `${prefix}floors`,
    presenceAnnounced: `${prefix}presence-announced`,
    presenceChanged: `${prefix}presence-changed`,
    backendEvents: `${prefix}backend-events`,
    webhooksDead: `${prefix}webhooks-dead`,
    webhooksDisabled: `${prefix}webhooks-disabled`,
    parties: `${prefix}parties`,
    adapterChannels: `${prefix}io`,
    queuePrefix: `${prefix}q`,
    room: (room) => `${prefix}room:${room}`,
    members: (room) => `${prefix}members:${room}`,
    roomsOf: (incarnation) => `${prefix}rooms-of:${incarnation}`,
    socketsOf: (incarnation) => `${prefix}sockets-of:${incarnation}`,
    inbox: (incarnation) => `${prefix}inbox:${incarnation}`,
    log: (room) => `${prefix}log:${room}`,
    moves: (room) => `${prefix}moves:${room}`,
    roster: (zone) => `${prefix}roster:${zone}`,
    user: (user) => `${prefix}user:${escapeUserId(user)}`,
    party: (party) => `${prefix}party:${party}`,
    partyOf: (user) => `${prefix}party-of:${escapeUserId(user)}`,
    session: (privateId) => `${prefix}session:${privateId}`,
    sessionsOf: (user) => `${prefix}sessions-of:${escapeUserId(user)}`,
    revoked: (user) => `${prefix}revoked:${escapeUserId(user)}`,
    changed: (user) => `${prefix}changed:${escapeUserId(user)}`,
    limit: (name) => `${prefix}limit:${name}`,
    limitOf: (user, name) => `${prefix}limit:${name}:${escapeUserId(user)}`,
    mutes: (user) => `${prefix}mutes:${escapeUserId(user)}`,
    volatile: (room) => `${prefix}volatile:${room}`,
    command: (user, event, commandId) => `${prefix}command:${escapeUserId(user)}:${event}:${commandId}`,
    emitted: (idempotencyKey) => `${prefix}emitted:${idempotencyKey}`,
    laneEmitted: (lane) => `${prefix}lane-emitted:${lane}`,
    lane: (queue, key) => `${prefix}lane:${queue}:${key}`,
    laneState: (queue, key) => `${prefix}lane-state:${queue}:${key}`,
    lanes: (queue) => `${prefix}lanes:${queue}`,
    laneDead: (queue) => `${prefix}lane-dead:${queue}`,
  };
}
