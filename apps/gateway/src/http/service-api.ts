import { writeAudit } from '@skirmish/database';
import { RealtimeService, type ServiceRole } from '@skirmish/emitter';
import { Rejection, type RealmId, type UserId } from '@skirmish/protocol';
import { json, type Request, type RequestHandler, type Response, Router } from 'express';
import type { GatewayContext, RealmContext } from '../context.ts';
import { refusing } from '../connection/rejection-of.ts';
import { Guilds } from '../guild/guilds.ts';
import { Sanctions } from '../moderation/sanctions.ts';
import { answer } from './envelope.ts';
import { httpRejectionOf } from './http-rejection.ts';
import { parseInput } from './parse-input.ts';
import type { ServiceCall, ServiceRoute } from './service-route.ts';
import { serviceRoutes } from './service-routes.ts';

/** Calls of one service to one gateway; `RATE_LIMIT_SCALE` multiplies it. */
const callRate = { ratePerSecond: 200, burst: 400 } as const;
const bodyBytesMax = 65_536;

/** Who calls: a backend with a token of the service audience. */
interface Caller {
  readonly id: UserId;
  readonly role: ServiceRole;
  /** The only realm that the token is for; absent: any. */
  readonly realm?: RealmId;
}

/**
 * The service API, one handler per row of the table: who calls, how often, then what was sent, then the work. Whoever has no token of a
 * service learns nothing but that, and nothing of what was sent is parsed.
 */
export function createServiceApi(gateway: GatewayContext, realms: readonly RealmContext[], routes: readonly ServiceRoute[] = serviceRoutes): Router {
  const router = Router();
  for (const route of routes) {
    const enter: RequestHandler = async (request, response, next) => {
      response.locals['caller'] = await admit(gateway, request, response);
      next();
    };
    const work: RequestHandler = async (request, response) => {
      answer(response, await serve(gateway, realms, route, request, response), route.status);
      gateway.metrics.report('service-called', { operation: route.operation, outcome: 'accepted' }, details(response));
    };
    router[route.method](route.path, enter, ...(route.body ? [json({ limit: bodyBytesMax })] : []), work, countRefused(gateway, route));
  }
  return router;
}

async function admit({ verifier, buckets }: GatewayContext, request: Request, response: Response): Promise<Caller> {
  const token = /^Bearer +(\S+) *$/i.exec(request.get('authorization') ?? '')?.[1];
  const identity = await verifier.verify(token).catch((error: unknown) => {
    response.set('www-authenticate', 'Bearer');
    throw error;
  });
  const role = (['system', 'service'] as const).find((each) => identity.roles.includes(each));
  if (!role) throw new Rejection('auth/forbidden');
  const retryAfterMs = buckets.take(identity.userId, 'service API', callRate, Date.now());
  if (retryAfterMs > 0) throw new Rejection('rate/limited', { retryAfterMs });
  return { id: identity.userId, role, ...(identity.realm === undefined ? {} : { realm: identity.realm }) };
}

async function serve(gateway: GatewayContext, realms: readonly RealmContext[], route: ServiceRoute, request: Request, response: Response): Promise<unknown> {
  const caller = response.locals['caller'] as Caller;
  const params: object = parseInput(route.params, request.params);
  response.locals['target'] = params;
  const query: object = parseInput(route.query, request.query);
  const body: object | null = route.body && parseInput(route.body, request.body);
  const realm = realmOf(realms, caller, query, body);
  const log = auditLog(gateway, caller, response);
  const { transport, bus } = realm;
  const realtime = new RealtimeService(transport.emitter, bus, {
    role: caller.role,
    scope: caller.id,
    mailbox: gateway.mailbox,
    audit: ({ action, target, details: more }) => log(action, target, { realm: realm.realm, ...more }),
  });
  const call: ServiceCall = {
    realtime,
    sanctions: new Sanctions(gateway, realms),
    guilds: new Guilds(gateway, realms),
    by: caller.id,
    audit: async (action, target, more = {}) => {
      if (caller.realm !== undefined && realms.length > 1) throw new Rejection('auth/wrong-realm');
      await log(action, target, more);
    },
  };
  return route.handle(call, { params, query, body } as never);
}

/** What left no trace shall not happen: while Postgres is away, calls that change something are refused. */
function auditLog({ database }: GatewayContext, caller: Caller, { locals }: Response): (action: string, target: string, details: Readonly<Record<string, unknown>>) => Promise<void> {
  return (action, target, more) => refusing(writeAudit(database, { actor: caller.id, action, target, requestId: String(locals['requestId']), details: more }));
}

/** The realm that the call names in its query, or in its body, else the one of the token, else the first. */
function realmOf(realms: readonly RealmContext[], caller: Caller, query: { realm?: RealmId }, body: { realm?: RealmId } | null): RealmContext {
  const asked = query.realm ?? body?.realm ?? caller.realm ?? realms[0]?.realm;
  if (caller.realm !== undefined && asked !== caller.realm) throw new Rejection('auth/wrong-realm');
  const realm = realms.find((each) => each.realm === asked);
  if (realm) return realm;
  throw realms.length === 0 ? new Rejection('server/unavailable') : new Rejection('payload/invalid', { path: 'realm' });
}

function countRefused({ metrics }: GatewayContext, { operation }: ServiceRoute) {
  return (error: unknown, _request: Request, response: Response, next: (error: unknown) => void): void => {
    metrics.report('service-called', { operation, outcome: httpRejectionOf(error).code }, details(response));
    next(error);
  };
}

/** Every call leaves a line of the log: who called what, on whom, with which outcome. What changes something has one in Postgres as well, before it happens. */
function details({ locals }: Response): Record<string, unknown> {
  return { target: locals['target'] as unknown, caller: (locals['caller'] as Caller | undefined)?.id, requestId: locals['requestId'] as unknown };
}
