import { guildIdSchema, nameLengthMax, userIdSchema } from '@skirmish/protocol';
import * as v from 'valibot';
import { serviceRoute, type ServiceRoute } from './service-route.ts';
import { count, nothingOf, sentence } from './service-schemas.ts';

const ofGuild = v.strictObject({ id: guildIdSchema });
const ofMember = v.strictObject({ id: guildIdSchema, userId: userIdSchema });
const rank = v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{1,32}$/));

/** Guilds and their members, as a studio's backend keeps them. They are in Postgres and not of a realm. */
export const guildRoutes: readonly ServiceRoute[] = [
  serviceRoute({
    method: 'put',
    path: '/v1/guilds/:id',
    operation: 'putGuild',
    summary: 'Makes a guild, or gives it another name',
    params: ofGuild,
    query: nothingOf,
    body: v.strictObject({ name: sentence(nameLengthMax) }),
    answer: v.strictObject({ created: v.boolean() }),
    status: 200,
    refusals: [],
    handle: async ({ guilds, audit }, { params: { id }, body: { name } }) => {
      await audit('guild.put', id, { name });
      return guilds.put(id, name);
    },
  }),
  serviceRoute({
    method: 'delete',
    path: '/v1/guilds/:id',
    operation: 'deleteGuild',
    summary: 'Ends a guild; its members hear nothing of it from then on, not even what they missed',
    params: ofGuild,
    query: nothingOf,
    body: null,
    answer: v.strictObject({ members: count }),
    status: 200,
    refusals: ['guild/not-found'],
    handle: async ({ guilds, audit }, { params: { id } }) => {
      await audit('guild.delete', id);
      return guilds.remove(id);
    },
  }),
  serviceRoute({
    method: 'put',
    path: '/v1/guilds/:id/members/:userId',
    operation: 'putGuildMember',
    summary: 'Takes a user into a guild, out of another one if need be, or gives the member another rank; live sockets follow at once',
    params: ofMember,
    query: nothingOf,
    body: v.strictObject({ rank }),
    answer: v.strictObject({ from: v.nullable(guildIdSchema) }),
    status: 200,
    refusals: ['guild/not-found'],
    handle: async ({ guilds, audit }, { params: { id, userId }, body }) => {
      await audit('guild.member-put', id, { userId, rank: body.rank });
      return guilds.putMember(id, userId, body.rank);
    },
  }),
  serviceRoute({
    method: 'delete',
    path: '/v1/guilds/:id/members/:userId',
    operation: 'deleteGuildMember',
    summary: 'Takes a user out of a guild; live sockets follow at once, and a resume brings nothing of the guild',
    params: ofMember,
    query: nothingOf,
    body: null,
    answer: v.strictObject({}),
    status: 200,
    refusals: ['user/not-found'],
    handle: async ({ guilds, audit }, { params: { id, userId } }) => {
      await audit('guild.member-delete', id, { userId });
      return guilds.removeMember(id, userId);
    },
  }),
];
