import { sql } from 'kysely';
import type { Migration } from './migration.ts';

/**
 * Ids compare by bytes (collate "C"): an upgrade of the host's locale data never corrupts their indexes. Instants are epoch
 * milliseconds in int8, as on the wire. Users come from a studio's issuer, so only the world's own tables insist that one exists.
 */
const world = sql`
create domain identifier as text collate "C" check (octet_length(value) between 1 and 128);

create function now_ms() returns int8 language sql volatile parallel safe
  return (extract(epoch from clock_timestamp()) * 1000)::int8;

create table users (
  user_id identifier primary key,
  name text not null,
  roles text[] not null default '{player}',
  created_at_ms int8 not null default now_ms()
);

create table zones (
  zone_id identifier primary key,
  name text not null,
  width float8 not null check (width > 0),
  height float8 not null check (height > 0),
  capacity int4 not null check (capacity > 0),
  opens_instances boolean not null,
  battleground boolean not null
);

create table portals (
  from_zone_id identifier not null references zones,
  from_x float8 not null,
  from_y float8 not null,
  to_zone_id identifier not null references zones,
  to_x float8 not null,
  to_y float8 not null,
  reach float8 not null check (reach > 0),
  primary key (from_zone_id, to_zone_id)
);

create table characters (
  character_id identifier primary key,
  user_id identifier not null references users,
  name text not null,
  zone_id identifier not null references zones,
  x float8 not null,
  y float8 not null,
  facing float8 not null default 0,
  health int4 not null check (health >= 0),
  health_max int4 not null check (health_max > 0),
  recovered_at_ms int8,
  start_zone_id identifier not null references zones,
  start_x float8 not null,
  start_y float8 not null,
  created_at_ms int8 not null default now_ms(),
  check (health <= health_max)
);
create index characters_of_user on characters (user_id, created_at_ms, character_id);

create table guilds (
  guild_id identifier primary key,
  name text not null,
  created_at_ms int8 not null default now_ms()
);

create table guild_members (
  user_id identifier primary key,
  guild_id identifier not null references guilds on delete cascade,
  rank text not null default 'member',
  joined_at_ms int8 not null default now_ms()
);
create index guild_members_of_guild on guild_members (guild_id, user_id);
`;

const people = sql`
create table chat_messages (
  message_id uuid primary key,
  realm identifier not null,
  channel_kind text not null check (channel_kind in ('zone', 'guild', 'party', 'combat', 'whisper')),
  channel_id identifier not null,
  from_user_id identifier not null,
  from_name text not null,
  text text,
  status text not null check (status in ('delivered', 'refused', 'retracted')),
  refusal text,
  refusal_until_ms int8,
  fingerprint text collate "C",
  sent_at_ms int8 not null,
  command_id text collate "C",
  check ((status = 'refused') = (refusal is not null)),
  check ((status = 'refused') = (text is null))
);
create index chat_messages_of_channel on chat_messages (realm, channel_kind, channel_id, message_id) where status = 'delivered';
create index chat_messages_of_pair
  on chat_messages (realm, least(channel_id, from_user_id), greatest(channel_id, from_user_id), message_id)
  where channel_kind = 'whisper' and status = 'delivered';
create index chat_messages_alike on chat_messages (realm, from_user_id, fingerprint, sent_at_ms) where fingerprint is not null;
create index chat_messages_by_command on chat_messages (from_user_id, command_id, sent_at_ms) where command_id is not null;

create table blocks (
  user_id identifier not null,
  blocked_user_id identifier not null,
  created_at_ms int8 not null default now_ms(),
  primary key (user_id, blocked_user_id),
  check (user_id <> blocked_user_id)
);

create table sanctions (
  sanction_id int8 generated always as identity primary key,
  user_id identifier not null,
  kind text not null check (kind in ('warn', 'mute', 'kick', 'ban')),
  reason text not null,
  created_by text not null,
  created_at_ms int8 not null default now_ms(),
  until_ms int8,
  lifted_at_ms int8,
  lifted_by text
);
create index sanctions_in_force on sanctions (user_id, kind) where lifted_at_ms is null and kind in ('mute', 'ban');
create index sanctions_of_user on sanctions (user_id, created_at_ms);

create table reports (
  report_id identifier primary key,
  message_id uuid not null,
  reporter_user_id identifier not null,
  reason text not null,
  created_at_ms int8 not null default now_ms(),
  verdict text check (verdict in ('retract', 'mute', 'ban', 'dismiss')),
  resolved_by text,
  resolved_at_ms int8,
  unique (message_id, reporter_user_id),
  check ((verdict is null) = (resolved_at_ms is null))
);
create index reports_open on reports (report_id) where resolved_at_ms is null;

create table mailbox (
  mail_id int8 generated always as identity primary key,
  realm identifier not null,
  user_id identifier not null,
  event text not null,
  payload jsonb not null,
  idempotency_key text collate "C",
  created_at_ms int8 not null default now_ms(),
  expires_at_ms int8,
  delivered_at_ms int8
);
create index mailbox_waiting on mailbox (realm, user_id, mail_id) where delivered_at_ms is null;
create unique index mailbox_once on mailbox (realm, user_id, idempotency_key) where idempotency_key is not null;

create table service_audit (
  audit_id int8 generated always as identity primary key,
  at_ms int8 not null default now_ms(),
  actor text not null,
  action text not null,
  target text not null,
  details jsonb,
  request_id text
);
create index service_audit_of_target on service_audit (target, at_ms);
create index service_audit_by_time on service_audit (at_ms);
`;

const combat = sql`
create table combats (
  combat_id identifier primary key,
  realm identifier not null,
  zone_id identifier not null,
  status text not null check (status in ('challenged', 'open', 'ended')),
  version int4 not null default 1,
  last_seq int4 not null default 0 check (last_seq >= 0),
  told_seq int4 not null default 0,
  turn int4 not null default 0,
  actor_id identifier,
  deadline_ms int8,
  seed text not null,
  state jsonb not null,
  outcome text,
  started_by_user_id identifier,
  start_command_id text collate "C",
  created_at_ms int8 not null default now_ms(),
  ended_at_ms int8,
  check (told_seq between 0 and last_seq),
  check ((status = 'ended') = (ended_at_ms is not null)),
  check (status <> 'ended' or deadline_ms is null)
);
create index combats_by_deadline on combats (realm, deadline_ms) where deadline_ms is not null;
create index combats_by_start_command on combats (started_by_user_id, start_command_id) where start_command_id is not null;

create table combatants (
  combat_id identifier not null references combats on delete cascade,
  character_id identifier not null,
  user_id identifier,
  name text not null,
  side int4 not null,
  health int4 not null check (health >= 0),
  health_max int4 not null check (health_max > 0),
  open boolean not null default true,
  primary key (combat_id, character_id),
  check (health <= health_max)
);
create index combatants_open_of_user on combatants (user_id, combat_id) where open;
create index combatants_open_of_character on combatants (character_id, combat_id) where open;

create table combat_events (
  combat_id identifier not null references combats on delete cascade,
  seq int4 not null check (seq >= 1),
  type text not null,
  payload jsonb not null,
  at_ms int8 not null default now_ms(),
  primary key (combat_id, seq)
);

create table combat_commands (
  combat_id identifier not null references combats on delete cascade,
  kind text not null,
  user_id text collate "C" not null default '',
  command_id text collate "C" not null,
  first_seq int4,
  last_seq int4,
  refusal text,
  at_ms int8 not null default now_ms(),
  primary key (combat_id, kind, user_id, command_id),
  check ((first_seq is null) = (last_seq is null)),
  check (refusal is null or first_seq is null)
);
create index combat_commands_refused on combat_commands (at_ms) where refusal is not null;
`;

/** The tables of the first release. */
export const firstTables: Migration = {
  name: '0001-first-tables',
  up: async (transaction) => {
    for (const part of [world, people, combat]) await part.execute(transaction);
  },
};
