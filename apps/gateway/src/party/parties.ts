import { type Attempt, tryAgain } from '@skirmish/emitter';
import { type ClientAnswer, commandMemoryMs, namespaceOf, type PartyId, partyInvitationsMax, partyMembersMax, Rejection } from '@skirmish/protocol';
import { payloadHash } from '@skirmish/queue';
import { keysOf, logRetentionMs, type RealmKeys } from '@skirmish/redis';
import type { RealmTransport } from '../cluster/realm-transport-types.ts';
import type { GatewayConfig } from '../config.ts';
import type { GatewayMetrics } from '../metrics.ts';
import { type PartyOperation, type PartyReply, partyScript } from './party-script.ts';
import type { PartyArguments, PartySettings } from './party-state.ts';
import { type Swept, sweepScript } from './sweep-script.ts';

export type PartyCommand = 'party:create' | 'party:invite' | 'party:kick' | 'party:promote' | 'party:accept' | 'party:decline' | 'party:leave';

export interface PartiesOptions {
  readonly transport: Pick<RealmTransport, 'realm' | 'redis' | 'incarnation' | 'met'>;
  readonly config: Pick<GatewayConfig, 'resumeWindowMs' | 'presenceGraceMs' | 'partyInvitationMs' | 'partySweepMs' | 'epochGraceMs' | 'inboxRetentionMs'>;
  readonly report: GatewayMetrics['report'];
}

/** How long a command is tried again while Redis cannot take it, milliseconds: time for a reconnect. */
const retryForMs = 250;
/** Time after which a party is looked at although nothing is known to have happened, milliseconds. */
const lookMs = 30_000;
/** Parties of one step of the sweep, and steps of one look: others wait for a step, the rest for the next look. */
const partiesPerStep = 50;
const stepsPerLook = 20;

/**
 * The parties of one realm: commands of their members, and the look at who is there.
 *
 * A command is one script: it happens whole, told to everybody, or not at all. It resolves when this gateway has handed on what its sender hears of it, so
 * what the sender does next finds it in its party, or out of it.
 */
export class Parties {
  readonly #options: PartiesOptions;
  readonly #keys: RealmKeys;
  readonly #settings: string;
  /** Parties with a member who has come here, at which nobody could look then. */
  readonly #unsettled = new Set<PartyId>();
  #timer: NodeJS.Timeout | null = null;
  #looking = false;

  constructor(options: PartiesOptions) {
    const { presenceGraceMs, resumeWindowMs, partyInvitationMs } = options.config;
    this.#options = options;
    this.#keys = keysOf(options.transport.realm);
    const settings: PartySettings = {
      membersMax: partyMembersMax,
      invitationsMax: partyInvitationsMax,
      invitationMs: partyInvitationMs,
      graceMs: presenceGraceMs,
      windowMs: resumeWindowMs,
      lookMs,
    };
    this.#settings = JSON.stringify(settings);
  }

  start(): void {
    this.#timer ??= setInterval(() => { void this.#look(); }, this.#options.config.partySweepMs);
  }

  stop(): void {
    if (this.#timer) clearInterval(this.#timer);
    this.#timer = null;
  }

  /**
   * Carries out a command once, however often it comes. Rejects with the refusal of the rule that forbids it, with `payload/invalid` for another payload
   * under the same id, and with `server/unavailable` when nobody knows: the same command again is safe then.
   */
  async command<E extends PartyCommand>(event: E, { commandId, ...payload }: { readonly commandId: string }, operation: PartyOperation): Promise<ClientAnswer<E>> {
    const names = [this.#keys.clock, this.#keys.command(operation.userId, event, commandId)];
    const hash = payloadHash(payload);
    const reply = await tryAgain(retryForMs, () => this.#once(names, JSON.stringify(operation), hash));
    this.#options.report('party-command', { operation: operation.op, outcome: reply.outcome });
    switch (reply.outcome) {
      case 'done':
      case 'repeated':
        // Also of a repeated one: the reply of the first may have been cut off a moment ago.
        if (reply.id !== '') await this.#options.transport.met(reply.id);
        return JSON.parse(reply.answer) as ClientAnswer<E>;
      case 'differs':
        throw new Rejection('payload/invalid', { path: 'commandId' });
      case 'rejected':
        throw new Rejection(reply.code);
    }
  }

  /** Looks at one party now, because a member has come or gone; never throws. What cannot be done now is done with the next look. */
  async settle(id: PartyId): Promise<void> {
    const swept = await this.#sweep(id);
    // None was looked at: emissions are refused for the moment.
    if (swept?.looked !== 1) this.#unsettled.add(id);
  }

  async #look(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    await this.#settleAgain();
    for (let step = 0; step < stepsPerLook; step += 1) {
      const swept = await this.#sweep('');
      if (!swept || swept.looked < partiesPerStep) break;
    }
    this.#looking = false;
  }

  /** Until one fails: then the others would too. */
  async #settleAgain(): Promise<void> {
    for (const id of [...this.#unsettled].slice(0, partiesPerStep * stepsPerLook)) {
      this.#unsettled.delete(id);
      await this.settle(id);
      if (this.#unsettled.has(id)) return;
    }
  }

  async #sweep(id: PartyId | ''): Promise<Swept | null> {
    const { transport, report } = this.#options;
    try {
      const swept = await sweepScript.run(transport.redis, [this.#keys.clock], [...this.#shared(), id, partiesPerStep]);
      if (swept.unreadable > 0) report('party-unreadable', {}, { count: swept.unreadable });
      return swept;
    } catch (err) {
      report('party-look-failed', {}, { err });
      return null;
    }
  }

  async #once(names: string[], operation: string, hash: string): Promise<Attempt<Exclude<PartyReply, { outcome: 'refused' }>>> {
    try {
      const reply = await partyScript.run(this.#options.transport.redis, names, [...this.#shared(), operation, hash, commandMemoryMs]);
      if (reply.outcome === 'refused') return { ok: false, retryAfterMs: reply.retryAfterMs, cause: reply.reason };
      return { ok: true, value: reply };
    } catch (cause) {
      return { ok: false, retryAfterMs: 1_000, cause };
    }
  }

  #shared(): [...PartyArguments] {
    const { transport, config } = this.#options;
    const { epochGraceMs, inboxRetentionMs, resumeWindowMs } = config;
    // Asked every time: an incarnation may be replaced.
    return [this.#keys.prefix, namespaceOf(transport.realm), transport.incarnation(), epochGraceMs, inboxRetentionMs, logRetentionMs(resumeWindowMs), this.#settings];
  }
}
