import { type BackendEventRecorder, createBackendEventRecorder } from '@skirmish/backend-events';
import { PlayerChanges } from '@skirmish/emitter';
import type { RealmId, UserId } from '@skirmish/protocol';
import { keysOf } from '@skirmish/redis';
import type { RealmTransport } from '../cluster/realm-transport-types.ts';
import type { GatewayContext, RealmContext } from '../context.ts';
import { MailDelivery } from '../mailbox/deliver.ts';
import { Parties } from '../party/parties.ts';
import { Presence } from '../presence/presence.ts';
import { RoomService } from '../room/room-service.ts';
import { Zones } from '../zone/zones.ts';
import { ClusterLimits } from './cluster-limits.ts';
import { rejectionOf } from './rejection-of.ts';
import { RereadPlayers } from './reread-players.ts';
import type { RealmNamespace } from './session.ts';
import { Sessions } from './sessions.ts';

/** What the parts of a realm are made from. */
export interface RealmBase {
  readonly gateway: GatewayContext;
  readonly realm: RealmId;
  readonly transport: RealmTransport;
  readonly nsp: RealmNamespace;
}

type Players = Pick<RealmContext, 'sessions' | 'changes' | 'rooms' | 'reread'>;
type Parts = Players & Pick<RealmContext, 'clusterLimits' | 'backend' | 'zones' | 'parties' | 'presence' | 'mail'>;

/** The features of one realm on this gateway, each told what happens through the gateway's one reporter. Nothing runs yet. */
export function realmPartsOf(base: RealmBase): Parts {
  const players = playersOf(base);
  return {
    ...players,
    clusterLimits: limitsOf(base),
    backend: backendOf(base),
    zones: zonesOf(base),
    parties: new Parties({ transport: base.transport, config: base.gateway.config, report: base.gateway.metrics.report }),
    presence: presenceOf(base),
    mail: mailOf(base, players),
  };
}

/** Who is connected here, in which rooms, and what the database says about them. */
function playersOf({ gateway, realm, transport }: RealmBase): Players {
  const sessions = new Sessions();
  const changes = new PlayerChanges(transport.redis, realm);
  const rooms = new RoomService({
    transport,
    emitter: transport.emitter,
    report: (event, kind) => { gateway.metrics.report(event, { kind }); },
  });
  const onFailed = (userId: UserId, err: unknown): void => { gateway.metrics.report('reread-failed', { code: rejectionOf(err).code }, { err, userId }); };
  const reread = new RereadPlayers({ realm, sessions, changes, rooms, players: gateway.players, onFailed });
  return { sessions, changes, rooms, reread };
}

function limitsOf({ gateway: { config, metrics, buckets, mutes }, realm, transport: { redis } }: RealmBase): ClusterLimits {
  return new ClusterLimits({
    realm,
    redis,
    buckets,
    mutes,
    scale: config.rateLimitScale,
    connectsPerSecond: config.connectsPerUserPerSecond,
    onUncounted: (event) => { metrics.report('rate-uncounted', { client_event: event }); },
  });
}

function backendOf({ gateway: { config, metrics }, realm, transport }: RealmBase): BackendEventRecorder {
  return createBackendEventRecorder({
    redis: transport.redis,
    realm,
    retentionMs: config.backendEventsRetentionMs,
    entriesMax: config.backendEventsMax,
    onDropped: (count, why) => { metrics.backendEventsDropped.inc({ why }, count); },
  });
}

function zonesOf({ gateway: { metrics, overload }, realm, transport, nsp }: RealmBase): Zones {
  return new Zones({
    nsp,
    transport,
    slow: overload.slow.ids,
    dropsEphemeral: overload.dropsEphemeral,
    onUnreadable: () => { metrics.report('position-refused', { realm }); },
    onPublished: () => { metrics.ticksPublished.inc(); },
  });
}

function presenceOf({ gateway: { config, metrics, overload }, realm, transport, nsp }: RealmBase): Presence {
  return new Presence({
    nsp,
    transport,
    keys: keysOf(realm),
    graceMs: config.presenceGraceMs,
    slow: overload.slow.ids,
    dropsEphemeral: overload.dropsEphemeral,
    report: (event, err) => { metrics.report(event, { realm }, err === undefined ? {} : { err }); },
    onAnnounced: (users) => { metrics.presenceAnnounced.inc(users); },
  });
}

function mailOf({ gateway: { mailbox, metrics }, realm, transport }: RealmBase, { sessions }: Players): MailDelivery {
  return new MailDelivery({
    emitter: transport.emitter,
    mailbox,
    isHere: (userId) => sessions.of(userId).length > 0,
    report: (event, details) => { metrics.report(event, { realm }, details); },
  });
}
