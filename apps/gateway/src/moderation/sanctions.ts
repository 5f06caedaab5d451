import { createBackendEventWriter } from '@skirmish/backend-events';
import { liftSanctions, revokeTokens, storeSanction } from '@skirmish/database';
import { endSessions } from '@skirmish/emitter';
import { refusals, Rejection, roomOf, type ServerPayload, type UserId } from '@skirmish/protocol';
import { refusing } from '../connection/rejection-of.ts';
import { tellChanged } from '../connection/tell-changed.ts';
import type { GatewayContext, RealmContext } from '../context.ts';

/** As the service API names them. */
export const sanctionKinds = ['mute', 'ban', 'kick'] as const;
export type SanctionKind = (typeof sanctionKinds)[number];

export interface SanctionWish {
  readonly userId: UserId;
  readonly kind: SanctionKind;
  readonly reason: string;
  /** Epoch milliseconds, for a mute or a ban; absent: for ever. */
  readonly untilMs?: number | undefined;
  /** Who wants it. */
  readonly by: string;
}

const told = { mute: 'muted', ban: 'banned', kick: 'kicked' } as const satisfies Record<SanctionKind, string>;

/**
 * Sanctions of users, in all realms of this gateway: stored first, then true on every gateway within a second, for sockets that are there,
 * for sessions that are away and for whoever connects later, also when the user was offline. Every error is a Rejection; after
 * `server/unavailable` the sanction may be stored: repeat the call, at worst it stands there twice.
 */
export class Sanctions {
  readonly #gateway: Pick<GatewayContext, 'database' | 'metrics' | 'config'>;
  readonly #realms: readonly RealmContext[];

  constructor(gateway: Pick<GatewayContext, 'database' | 'metrics' | 'config'>, realms: readonly RealmContext[]) {
    this.#gateway = gateway;
    this.#realms = realms;
  }

  async set({ userId, kind, reason, untilMs, by }: SanctionWish): Promise<{ id: string }> {
    const { database, metrics } = this.#gateway;
    const id = `sanction-${await refusing(storeSanction(database, { userId, kind, reason, by, untilMs: untilMs ?? null }))}`;
    const notice = { kind: told[kind], reason, ...(untilMs === undefined ? {} : { untilMs }) };
    await this.#everywhere((realm) => this.#enforce(realm, userId, kind, notice, id));
    metrics.report('sanction-set', { kind }, { userId, by, id });
    return { id };
  }

  /** Ends all mutes or bans of a user that are in force; answers how many. */
  async lift(userId: UserId, kind: SanctionKind, by: string): Promise<{ lifted: number }> {
    if (kind === 'kick') return { lifted: 0 };
    const lifted = await refusing(liftSanctions(this.#gateway.database, userId, kind, by));
    await this.#everywhere((realm) => tellChanged(realm, [userId]));
    this.#gateway.metrics.report('sanction-lifted', { kind }, { userId, by, lifted });
    return { lifted };
  }

  /** Makes every token void that was issued until now, and ends every session. Throws `user/not-found`. */
  async logOutEverywhere(userId: UserId): Promise<{ sessions: number }> {
    const { database, config, metrics } = this.#gateway;
    const beforeMs = await refusing(revokeTokens(database, userId));
    if (beforeMs === null) throw new Rejection('user/not-found');
    const { message } = refusals['auth/revoked'];
    let sessions = 0;
    await this.#everywhere(async ({ changes, transport, bus }) => {
      await changes.revoke(userId, beforeMs, config.jwtAgeSecondsMax * 1_000);
      await changes.mark([userId], { binding: true });
      const ended = await endSessions(transport.emitter, bus, userId, { code: 'auth/revoked', message });
      // Added after the wait: the realms are done at the same time.
      sessions += ended.sessions;
    });
    metrics.report('tokens-revoked', {}, { userId, sessions });
    return { sessions };
  }

  /** The mark comes first: a client that is closed below comes back at once and must find the door shut. */
  async #enforce(realm: RealmContext, userId: UserId, kind: SanctionKind, notice: ServerPayload<'moderation:sanctioned'>, id: string): Promise<void> {
    const { changes, transport, bus } = realm;
    await changes.mark([userId], { binding: true });
    await transport.emitter.emit({ rooms: [roomOf.user(userId)] }, 'moderation:sanctioned', notice, { idempotencyKey: id });
    if (kind === 'mute') await tellChanged(realm, [userId]);
    else await endSessions(transport.emitter, bus, userId, { code: kind === 'ban' ? 'auth/banned' : 'session/disconnected', message: notice.reason });
    await this.#backendOf(realm).write({ type: 'sanction.set', id, data: { userId, ...notice } });
  }

  #backendOf({ realm, bus }: RealmContext): ReturnType<typeof createBackendEventWriter> {
    const { backendEventsRetentionMs: retentionMs, backendEventsMax: entriesMax } = this.#gateway.config;
    return createBackendEventWriter({ redis: bus, realm, retentionMs, entriesMax });
  }

  async #everywhere(work: (realm: RealmContext) => Promise<unknown>): Promise<void> {
    await refusing(Promise.all(this.#realms.map(work)));
  }
}
