import type { ChannelKind } from '@skirmish/protocol';
import type { ColumnType, Generated, Selectable } from 'kysely';

/** Epoch milliseconds of the server, as everywhere on the wire. */
type AtMs = number;
/** Filled in by Postgres when it is left out. */
type CreatedAtMs = Generated<AtMs>;
/** JSON: written as text (`json(value)`), read as the parsed value. */
type Json<T> = ColumnType<T, string, string>;
type JsonOrNull<T> = ColumnType<T | null, string | null | undefined, string | null>;
/** May be left out on insert; null then. */
type Optional<T> = ColumnType<T | null, T | null | undefined, T | null>;

export interface UsersTable {
  user_id: string;
  name: string;
  roles: Generated<string[]>;
  /** Tokens that were issued before it are void; null: none was ever revoked. */
  tokens_valid_from_ms: Optional<AtMs>;
  created_at_ms: CreatedAtMs;
}

export interface CharactersTable {
  character_id: string;
  user_id: string;
  name: string;
  zone_id: string;
  x: number;
  y: number;
  facing: Generated<number>;
  health: number;
  health_max: number;
  /** End of the recovery after a fight: from then on the character has full health, whatever `health` says. */
  recovered_at_ms: Optional<AtMs>;
  /** Where a defeated character appears again. */
  start_zone_id: string;
  start_x: number;
  start_y: number;
  created_at_ms: CreatedAtMs;
}

export interface GuildsTable {
  guild_id: string;
  name: string;
  created_at_ms: CreatedAtMs;
}

/** A user is in one guild at most: the user is the key. */
export interface GuildMembersTable {
  user_id: string;
  guild_id: string;
  rank: Generated<string>;
  joined_at_ms: CreatedAtMs;
}

export interface ZonesTable {
  zone_id: string;
  name: string;
  width: number;
  height: number;
  capacity: number;
  opens_instances: boolean;
  /** Fights begin at once, nobody is asked. */
  battleground: boolean;
}

/** One row per direction. */
export interface PortalsTable {
  from_zone_id: string;
  from_x: number;
  from_y: number;
  to_zone_id: string;
  to_x: number;
  to_y: number;
  reach: number;
}

export type ChatStatus = 'delivered' | 'refused' | 'retracted';

export interface ChatMessagesTable {
  /** UUIDv7, so the key is the order of time. */
  message_id: string;
  realm: string;
  channel_kind: ChannelKind;
  channel_id: string;
  from_user_id: string;
  from_name: string;
  /** As it was shown, masked; null when it was refused, the original is not kept. */
  text: string | null;
  status: ChatStatus;
  /** The code and the end of the refusal, only where `status` is `refused`. */
  refusal: Optional<string>;
  refusal_until_ms: Optional<AtMs>;
  /** Equal for texts that count as the same message. */
  fingerprint: Optional<string>;
  sent_at_ms: AtMs;
  /** A client may use an id again after 10 minutes, so no unique index: look for a younger row inside the channel's lane. */
  command_id: Optional<string>;
}

export interface BlocksTable {
  user_id: string;
  blocked_user_id: string;
  created_at_ms: CreatedAtMs;
}

export type SanctionKind = 'warn' | 'mute' | 'kick' | 'ban';

export interface SanctionsTable {
  sanction_id: Generated<number>;
  user_id: string;
  kind: SanctionKind;
  reason: string;
  created_by: string;
  created_at_ms: CreatedAtMs;
  /** null: for ever. */
  until_ms: Optional<AtMs>;
  lifted_at_ms: Optional<AtMs>;
  lifted_by: Optional<string>;
}

export type Verdict = 'retract' | 'mute' | 'ban' | 'dismiss';

export interface ReportsTable {
  report_id: string;
  message_id: string;
  reporter_user_id: string;
  reason: string;
  created_at_ms: CreatedAtMs;
  verdict: Optional<Verdict>;
  resolved_by: Optional<string>;
  resolved_at_ms: Optional<AtMs>;
}

export type CombatStatus = 'challenged' | 'open' | 'ended';

export interface CombatsTable {
  combat_id: string;
  realm: string;
  zone_id: string;
  status: CombatStatus;
  /** Grows by one with each committed step: update … where version = what was read. */
  version: Generated<number>;
  /** The number of the last event; 0 before `combat:started`. */
  last_seq: Generated<number>;
  /** The last event that was emitted for sure: those above it are emitted again when a step is repeated. */
  told_seq: Generated<number>;
  turn: Generated<number>;
  actor_id: Optional<string>;
  /** When the turn or the challenge runs out; null as soon as nothing can run out. The sweeper reads it by index. */
  deadline_ms: Optional<AtMs>;
  /** Secret until the fight has ended. */
  seed: string;
  /** What only the rules understand: order, cooldowns, random position. */
  state: Json<unknown>;
  outcome: Optional<string>;
  started_by_user_id: Optional<string>;
  start_command_id: Optional<string>;
  created_at_ms: CreatedAtMs;
  ended_at_ms: Optional<AtMs>;
}

export interface CombatantsTable {
  combat_id: string;
  character_id: string;
  /** null: no player, for example the training dummy. */
  user_id: Optional<string>;
  name: string;
  side: number;
  health: number;
  health_max: number;
  /** False once the combatant has left or the combat has ended; "open combats of a user" is an index over the true ones. */
  open: Generated<boolean>;
}

export interface CombatEventsTable {
  combat_id: string;
  /** 1, 2, 3 … without holes. */
  seq: number;
  /** The wire name, for example `combat:resolved`. */
  type: string;
  /** The object that was sent. */
  payload: Json<Record<string, unknown>>;
  at_ms: CreatedAtMs;
}

/** A step of a lane leaves its outcome here, in the transaction of its effect; a repeated step finds it and only tells again. */
export interface CombatCommandsTable {
  combat_id: string;
  /** `combat.start`, `combat.act`, `combat.timeout`: a client's ids are unique per event only. */
  kind: string;
  /** '' for a command that no user gave. */
  user_id: Generated<string>;
  /** The client's id, or the name of a timer, for example `timeout-3`. */
  command_id: string;
  /** The events that the step made, to tell them again; null when it was refused. */
  first_seq: Optional<number>;
  last_seq: Optional<number>;
  /** The code, when it was refused. */
  refusal: Optional<string>;
  at_ms: CreatedAtMs;
}

export interface MailboxTable {
  mail_id: Generated<number>;
  realm: string;
  user_id: string;
  event: string;
  payload: Json<Record<string, unknown>>;
  idempotency_key: Optional<string>;
  created_at_ms: CreatedAtMs;
  expires_at_ms: Optional<AtMs>;
  delivered_at_ms: Optional<AtMs>;
}

export interface ServiceAuditTable {
  audit_id: Generated<number>;
  at_ms: CreatedAtMs;
  /** Who: a user id or the subject of a service token. */
  actor: string;
  /** What, for example `sanction.set`. */
  action: string;
  /** On whom or what. */
  target: string;
  details: JsonOrNull<Record<string, unknown>>;
  request_id: Optional<string>;
}

/** One per login; never holds a token, only the id of the one that may be used next. */
export interface RefreshFamiliesTable {
  family_id: string;
  user_id: string;
  current_token_id: string;
  /** When its token was last exchanged, or shown in vain. */
  used_at_ms: CreatedAtMs;
  /** The end of its current token; the row may be deleted after it. */
  expires_at_ms: AtMs;
  /** From then on none of its tokens is taken. */
  revoked_at_ms: Optional<AtMs>;
}

/** Refused requests above a rate. */
export interface StrikesTable {
  user_id: string;
  /** The part of the event before the colon; '' for all of the user's together. */
  feature: string;
  /** As of `at_ms`; it fades from then on. */
  score: number;
  /** What it was when the newest strikes were added: tells who crossed a threshold. */
  score_before: number;
  at_ms: AtMs;
  muted_until_ms: Optional<AtMs>;
  /** Whether the newest strikes began the mute. */
  mute_begins: boolean;
}

/** Every table. Columns are named as in Postgres, so that a search finds SQL and TypeScript alike. */
export interface Schema {
  users: UsersTable;
  characters: CharactersTable;
  guilds: GuildsTable;
  guild_members: GuildMembersTable;
  zones: ZonesTable;
  portals: PortalsTable;
  chat_messages: ChatMessagesTable;
  blocks: BlocksTable;
  sanctions: SanctionsTable;
  reports: ReportsTable;
  combats: CombatsTable;
  combatants: CombatantsTable;
  combat_events: CombatEventsTable;
  combat_commands: CombatCommandsTable;
  mailbox: MailboxTable;
  service_audit: ServiceAuditTable;
  refresh_families: RefreshFamiliesTable;
  strikes: StrikesTable;
}

/** A row of a table as it is read. */
export type Row<T extends keyof Schema> = Selectable<Schema[T]>;
