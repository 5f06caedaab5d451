import { deleteGuild, deleteGuildMember, putGuild, putGuildMember } from '@skirmish/database';
import { type GuildId, parseRoom, Rejection, type RoomName, roomOf, type UserId } from '@skirmish/protocol';
import { keysOf } from '@skirmish/redis';
import { refusing } from '../connection/rejection-of.ts';
import { letReread, tellChanged } from '../connection/tell-changed.ts';
import type { GatewayContext, RealmContext } from '../context.ts';
import { askPresence } from '../presence/ask-presence.ts';

/**
 * Guilds, as a backend changes them: committed in Postgres first, then true on every gateway. A membership that begins or ends has a place in the
 * order of the realm: every event of the guild after it arrives, or none. An open resume is checked against what is committed. Every error
 * is a Rejection; every call may be repeated, and repeats what the first one did not get to tell.
 */
export class Guilds {
  readonly #gateway: GatewayContext;
  readonly #realms: readonly RealmContext[];

  constructor(gateway: GatewayContext, realms: readonly RealmContext[]) {
    this.#gateway = gateway;
    this.#realms = realms;
  }

  /** Makes a guild or renames it. Members see a new name at their next connect. */
  async put(guildId: GuildId, name: string): Promise<{ created: boolean }> {
    return refusing(putGuild(this.#gateway.database, guildId, name).then((created) => ({ created })));
  }

  /**
   * Ends a guild; nobody hears anything of it from then on. Throws `guild/not-found`, after having repeated that for whoever is in its room
   * all the same: the first call may have died after its commit.
   */
  async remove(guildId: GuildId): Promise<{ members: number }> {
    const members = await refusing(deleteGuild(this.#gateway.database, guildId).catch(nullIfNotFound));
    const room = roomOf.guild(guildId);
    await this.#everywhere(async (realm) => {
      const users = members ?? (await usersIn(realm, room));
      // Before they leave, so that a repetition finds those who could not be told.
      await tellChanged(realm, users);
      await realm.transport.emitter.leave({ rooms: [room] }, [room]);
      // A guild of this name that took one of them in meanwhile has lost that member's sockets with the others.
      await letReread(realm, users);
    });
    if (!members) throw new Rejection('guild/not-found');
    return { members: members.length };
  }

  /** Takes a user in, out of another guild if need be, or changes the rank. Throws `guild/not-found`. */
  async putMember(guildId: GuildId, userId: UserId, rank: string): Promise<{ from: GuildId | null }> {
    const { from } = await refusing(putGuildMember(this.#gateway.database, guildId, userId, rank));
    const user = { rooms: [roomOf.user(userId)] };
    const own = roomOf.guild(guildId);
    await this.#everywhere(async (realm) => {
      const { emitter } = realm.transport;
      await realm.changes.mark([userId], { binding: true });
      // A member already: an earlier call may have died before the user left another guild, whose name is gone from the database.
      const former = from === guildId ? await notLeftYet(realm, userId, guildId) : from === null ? [] : [roomOf.guild(from)];
      if (former.length > 0) await emitter.leave(user, former);
      // Also for a new rank: whoever died between the commit and the join has it repeated here.
      await emitter.join(user, [own]);
      await tellChanged(realm, [userId]);
    });
    return { from };
  }

  /** Takes a user out. Throws `user/not-found` when the user is not in the guild, after having repeated what makes that true everywhere. */
  async removeMember(guildId: GuildId, userId: UserId): Promise<Record<string, never>> {
    const was = await refusing(deleteGuildMember(this.#gateway.database, guildId, userId));
    await this.#everywhere(async (realm) => {
      await realm.changes.mark([userId], { binding: true });
      await realm.transport.emitter.leave({ rooms: [roomOf.user(userId)] }, [roomOf.guild(guildId)]);
      await tellChanged(realm, [userId]);
    });
    if (!was) throw new Rejection('user/not-found');
    return {};
  }

  async #everywhere(work: (realm: RealmContext) => Promise<unknown>): Promise<void> {
    await refusing(Promise.all(this.#realms.map(work)));
  }
}

function nullIfNotFound(error: unknown): null {
  if (error instanceof Rejection && error.code === 'guild/not-found') return null;
  throw error;
}

/** The rooms of other guilds that the newest socket of a member is in, on whatever gateway; none when the user is no member any more. */
async function notLeftYet(realm: RealmContext, userId: UserId, guildId: GuildId): Promise<RoomName[]> {
  const found = await askPresence(realm.transport.redis, keysOf(realm.realm), [userId]);
  const others = (found.get(userId)?.rooms ?? []).filter((room) => parseRoom(room)?.kind === 'guild' && room !== roomOf.guild(guildId));
  if (others.length === 0) return [];
  // Rooms follow commits: a change that has taken the user there since this call's own commit is read here.
  const { mark } = await realm.changes.of(userId);
  const player = await realm.gateway.players.get({ realm: realm.realm, userId }, mark);
  return player?.guild?.id === guildId ? others : [];
}

/** Users with a socket in a room, on whatever gateway. */
async function usersIn({ transport }: RealmContext, room: RoomName): Promise<UserId[]> {
  const users = new Set<UserId>();
  let cursor = '0';
  do {
    const page = await transport.members(room, cursor);
    for (const { userId } of page.members) users.add(userId);
    cursor = page.cursor;
  } while (cursor !== '0');
  return [...users];
}
