import { reasonLengthMax, Rejection } from '@skirmish/protocol';
import * as v from 'valibot';
import { sanctionKinds } from '../moderation/sanctions.ts';
import { serviceRoute, type ServiceRoute } from './service-route.ts';
import { count, nothingOf, ofUser, sentence } from './service-schemas.ts';

const sanctionBody = v.strictObject({
  kind: v.picklist(sanctionKinds),
  reason: sentence(reasonLengthMax),
  untilMs: v.exactOptional(v.pipe(v.number(), v.safeInteger(), v.minValue(0))),
});
const ofSanction = v.strictObject({ ...ofUser.entries, kind: v.picklist(sanctionKinds) });

/** Mutes, bans, kicks and logouts. They are of the user and not of a realm. */
export const sanctionRoutes: readonly ServiceRoute[] = [
  serviceRoute({
    method: 'post',
    path: '/v1/users/:id/sanctions',
    operation: 'setSanction',
    summary: 'Mutes, bans or kicks a user, on all gateways within a second and also when the user is offline; without `untilMs` for ever',
    params: ofUser,
    query: nothingOf,
    body: sanctionBody,
    answer: v.strictObject({ id: v.string() }),
    status: 200,
    refusals: [],
    handle: async ({ sanctions, audit, by }, { params, body: { kind, reason, untilMs } }) => {
      if (untilMs !== undefined && (kind === 'kick' || untilMs <= Date.now())) throw new Rejection('payload/invalid', { path: 'untilMs' });
      await audit('sanction.set', params.id, { kind, reason, untilMs });
      return sanctions.set({ userId: params.id, kind, reason, untilMs, by });
    },
  }),
  serviceRoute({
    method: 'delete',
    path: '/v1/users/:id/sanctions/:kind',
    operation: 'liftSanctions',
    summary: 'Lifts all sanctions of a kind that are in force; a kick is over as soon as it happened',
    params: ofSanction,
    query: nothingOf,
    body: null,
    answer: v.strictObject({ lifted: count }),
    status: 200,
    refusals: [],
    handle: async ({ sanctions, audit, by }, { params: { id, kind } }) => {
      await audit('sanction.lift', id, { kind });
      return sanctions.lift(id, kind, by);
    },
  }),
  serviceRoute({
    method: 'post',
    path: '/v1/users/:id/logout-everywhere',
    operation: 'logOutEverywhere',
    summary: 'Ends every session of a user and makes every token void that was issued until now; one that is issued later is good',
    params: ofUser,
    query: nothingOf,
    body: null,
    answer: v.strictObject({ sessions: count }),
    status: 200,
    refusals: ['user/not-found'],
    handle: async ({ sanctions, audit }, { params: { id } }) => {
      await audit('user.logout', id);
      return sanctions.logOutEverywhere(id);
    },
  }),
];
