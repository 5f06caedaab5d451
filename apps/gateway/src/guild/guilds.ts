import { deleteGuild, deleteGuildMember, putGuild, putGuildMember } from '@skirmish/database';
import { type GuildId, Rejection, roomOf, type UserId } from '@skirmish/protocol';
import { refusing } from '../connection/rejection-of.ts';
import { tellChanged } from '../connection/tell-changed.ts';
import type { GatewayContext, RealmContext } from '../context.ts';

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

  /** Ends a guild; nobody hears anything of it from then on. Throws `guild/not-found`. */
  async remove(guildId: GuildId): Promise<{ members: number }> {
    const members = await refusing(deleteGuild(this.#gateway.database, guildId));
    const room = roomOf.guild(guildId);
    await this.#everywhere(async (realm) => {
      await realm.changes.mark(members, { binding: true });
      await realm.transport.emitter.leave({ rooms: [room] }, [room]);
      await tellChanged(realm, members);
    });
    return { members: members.length };
  }

  /** Takes a user in, out of another guild if need be, or changes the rank. Throws `guild/not-found`. */
  async putMember(guildId: GuildId, userId: UserId, rank: string): Promise<{ from: GuildId | null }> {
    const { from } = await refusing(putGuildMember(this.#gateway.database, guildId, userId, rank));
    const user = { rooms: [roomOf.user(userId)] };
    await this.#everywhere(async (realm) => {
      const { emitter } = realm.transport;
      await realm.changes.mark([userId], { binding: true });
      if (from !== null && from !== guildId) await emitter.leave(user, [roomOf.guild(from)]);
      // Also for a new rank: whoever died between the commit and the join has it repeated here.
      await emitter.join(user, [roomOf.guild(guildId)]);
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
