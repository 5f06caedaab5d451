import type { Emitted, RealtimeService } from '@skirmish/emitter';
import { Rejection } from '@skirmish/protocol';
import * as v from 'valibot';
import { guildRoutes } from './guild-routes.ts';
import { sanctionRoutes } from './sanction-routes.ts';
import { serviceRoute, type ServiceRoute } from './service-route.ts';
import {
  disconnectAnswer, disconnectBody, emitAnswer, emitBody, inRealm, membersAnswer, membersQuery, nothingOf, ofRoom, ofUser, ofZone, onlineAnswer,
  populationAnswer, socketsAnswer,
} from './service-schemas.ts';

const realmQuery = v.strictObject(inRealm);

/** Every operation of the service API: it is mounted from this table, and OpenAPI is made from it. */
export const serviceRoutes: readonly ServiceRoute[] = [
  serviceRoute({
    method: 'post',
    path: '/v1/emit',
    operation: 'emit',
    summary: 'Sends one event to a user, a zone, a fight, a guild, a party, or (role system, once per 10 s) to everybody',
    params: nothingOf,
    query: realmQuery,
    body: emitBody,
    answer: emitAnswer,
    status: 202,
    refusals: ['event/unknown'],
    handle: ({ realtime }, { body }) => emit(realtime, body),
  }),
  serviceRoute({
    method: 'get',
    path: '/v1/users/:id/sockets',
    operation: 'getUserSockets',
    summary: 'The sockets of a user on all gateways, the oldest first',
    params: ofUser,
    query: realmQuery,
    body: null,
    answer: socketsAnswer,
    status: 200,
    refusals: [],
    handle: async ({ realtime }, { params }) => ({ sockets: await realtime.getUserSockets(params.id) }),
  }),
  serviceRoute({
    method: 'get',
    path: '/v1/users/:id/online',
    operation: 'isUserOnline',
    summary: 'Whether a user has a socket now',
    params: ofUser,
    query: realmQuery,
    body: null,
    answer: onlineAnswer,
    status: 200,
    refusals: [],
    handle: async ({ realtime }, { params }) => ({ online: await realtime.isUserOnline(params.id) }),
  }),
  serviceRoute({
    method: 'post',
    path: '/v1/users/:id/disconnect',
    operation: 'disconnectUser',
    summary: 'Closes every socket of a user; none can be resumed, the user may connect anew',
    params: ofUser,
    query: realmQuery,
    body: disconnectBody,
    answer: disconnectAnswer,
    status: 202,
    refusals: [],
    handle: ({ realtime }, { params, body }) => realtime.disconnectUser(params.id, body.reason),
  }),
  serviceRoute({
    method: 'get',
    path: '/v1/zones/:id/population',
    operation: 'getZonePopulation',
    summary: 'How many characters are in a zone now',
    params: ofZone,
    query: realmQuery,
    body: null,
    answer: populationAnswer,
    status: 200,
    refusals: [],
    handle: async ({ realtime }, { params }) => ({ population: await realtime.getZonePopulation(params.id) }),
  }),
  serviceRoute({
    method: 'get',
    path: '/v1/rooms/:room/members',
    operation: 'getRoomMembers',
    summary: 'One page of the members of a room; ask for the next one with its cursor until that is null',
    params: ofRoom,
    query: membersQuery,
    body: null,
    answer: membersAnswer,
    status: 200,
    refusals: ['room/not-found'],
    handle: async ({ realtime }, { params, query }) => {
      const { members, cursor } = await realtime.getRoomMembers(params.room, query.cursor ?? null);
      return { members: [...members], cursor };
    },
  }),
  ...sanctionRoutes,
  ...guildRoutes,
];

function emit(realtime: RealtimeService, { to, event, payload, ...more }: v.InferOutput<typeof emitBody>): Promise<Emitted> {
  const { ifOffline, class: carriedAs, idempotencyKey } = more;
  const how = { ...(carriedAs === undefined ? {} : { class: carriedAs }), ...(idempotencyKey === undefined ? {} : { idempotencyKey }) };
  // The name is checked by the service, which knows the built-in ones.
  const name = event as `app:${string}`;
  if ('user' in to) return realtime.emitToUser(to.user, name, payload, { ...how, ...(ifOffline === undefined ? {} : { ifOffline }) });
  if (ifOffline === 'mailbox') throw new Rejection('payload/invalid', { path: 'ifOffline' });
  if ('zone' in to) return realtime.emitToZone(to.zone, name, payload, how);
  if ('combat' in to) return realtime.emitToCombat(to.combat, name, payload, how);
  if ('guild' in to) return realtime.emitToGuild(to.guild, name, payload, how);
  if ('party' in to) return realtime.emitToParty(to.party, name, payload, how);
  return realtime.broadcastToAll(name, payload, how);
}
