import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { createReporter, type Gauge, type Logger, type Metrics, type Reporter } from '@skirmish/observability';
import type { RealmId } from '@skirmish/protocol';
import { keysOf, type Redis } from '@skirmish/redis';
import { type Assigned, WebhookGroup } from './group.ts';
import { delayAfter, type WebhookLimits, webhookLimits } from './limits.ts';
import { createPoster, type Posted, type Poster } from './post.ts';
import { keyOfSecret, signedHeaders } from './sign.ts';

export interface WebhookSenderOptions {
  readonly redis: Redis;
  readonly realm: RealmId;
  readonly url: string;
  readonly secret: string;
  /** Whether addresses that are not of the public internet are posted to. */
  readonly privateAddresses: boolean;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly limits?: Partial<WebhookLimits>;
}

/** Sends the events of one realm until it is stopped. */
export interface WebhookSender {
  /** Ends the attempts under way and leaves what is open to the other senders, within about a second. */
  stop(this: void): Promise<void>;
}

/** What happens to webhooks. The body of an event is never among the details. */
const events = {
  'webhook-delivered': { message: 'a webhook was accepted', level: 'debug', labels: ['realm'] },
  'webhook-refused': { message: 'a webhook was not accepted and will be tried again', level: 'debug', labels: ['realm', 'why'] },
  'webhook-dead': { message: 'a webhook was given up', level: 'error', labels: ['realm', 'why'] },
  'webhook-lost': { message: 'events left the stream before their webhooks were accepted', level: 'error', labels: ['realm'] },
  'webhooks-disabled': { message: 'the receiver wants no more webhooks (410)', level: 'error', labels: ['realm'] },
  'webhook-round-failed': { message: 'the stream of backend events could not be read', level: 'warn', labels: ['realm'] },
} as const;

interface Waiting extends Assigned {
  dueAt: number;
  busy: boolean;
}

const takenPerRound = 50;
const idPattern = /^[A-Za-z0-9_#-]{1,128}$/;

/** Begins to send: what happens from the first start on, at least once, in no promised order. Uses the given connection and never blocks it. */
export function createWebhookSender(options: WebhookSenderOptions): WebhookSender {
  const sender = new Sender(options);
  const running = sender.run();
  return {
    stop: async () => {
      sender.stop();
      await running;
    },
  };
}

class Sender {
  readonly #options: WebhookSenderOptions;
  readonly #limits: WebhookLimits;
  readonly #group: WebhookGroup;
  readonly #poster: Poster;
  readonly #key: Buffer;
  readonly #mark: string;
  readonly #report: Reporter<typeof events>;
  readonly #pending: Gauge<'realm'>;
  readonly #waiting = new Map<string, Waiting>();
  readonly #attempts = new Set<Promise<void>>();
  readonly #stopped = new AbortController();
  #wake = new AbortController();
  #upkeepAt = 0;
  #created = false;

  constructor(options: WebhookSenderOptions) {
    const { redis, realm, url, secret, privateAddresses, logger, metrics, limits } = options;
    this.#options = options;
    this.#limits = { ...webhookLimits, ...limits };
    this.#group = new WebhookGroup(redis, keysOf(realm), randomBytes(9).toString('base64url'));
    const { timeoutMs, attemptsMax } = this.#limits;
    this.#poster = createPoster({ url: new URL(url), privateAddresses, timeoutMs, connectionsMax: attemptsMax });
    this.#key = keyOfSecret(secret);
    this.#mark = createHash('sha256').update(url).digest('base64url');
    this.#report = createReporter({ logger, metrics, events });
    this.#pending = metrics.gauge({ name: 'webhooks_waiting', help: 'Events whose webhook was not accepted yet', labels: ['realm'] });
  }

  stop(): void {
    this.#stopped.abort();
    this.#wake.abort();
  }

  async run(): Promise<void> {
    while (!this.#stopped.signal.aborted) {
      const more = await this.#round().catch((err: unknown) => {
        this.#report('webhook-round-failed', { realm: this.#options.realm }, { err });
        return false;
      });
      this.#attempt();
      await this.#pause(more);
    }
    await Promise.all(this.#attempts);
    this.#poster.close();
    await this.#group.release().catch(() => undefined);
  }

  /** True when there is more to take as soon as an attempt has ended. */
  async #round(): Promise<boolean> {
    if (!this.#created) await this.#group.create('$');
    this.#created = true;
    if ((await this.#group.disabled()) === this.#mark) {
      this.#waiting.clear();
      return false;
    }
    if (performance.now() >= this.#upkeepAt) await this.#upkeep();
    const room = Math.min(this.#limits.waitingMax - this.#waiting.size, takenPerRound - this.#untried());
    if (room <= 0) return true;
    const taken = await this.#group.take(room);
    this.#add(taken);
    return taken.length === room;
  }

  /** Says that this sender lives, and takes over what dead ones held. */
  async #upkeep(): Promise<void> {
    const { claimAfterMs, waitingMax } = this.#limits;
    const own = await this.#group.keep();
    for (const [entryId, { busy }] of this.#waiting) if (!busy && !own.has(entryId)) this.#waiting.delete(entryId);
    const room = waitingMax - this.#waiting.size;
    if (room > 0) {
      const { entries, trimmed } = await this.#group.claim(claimAfterMs, room);
      this.#add(entries);
      if (trimmed > 0) this.#report('webhook-lost', { realm: this.#options.realm }, { count: trimmed });
    }
    this.#upkeepAt = performance.now() + claimAfterMs / 3;
  }

  #untried(): number {
    let count = 0;
    for (const { tries } of this.#waiting.values()) if (tries === 1) count += 1;
    return count;
  }

  #add(entries: readonly Assigned[]): void {
    for (const entry of entries) if (!this.#waiting.has(entry.entryId)) this.#waiting.set(entry.entryId, { ...entry, dueAt: 0, busy: false });
    this.#pending.set({ realm: this.#options.realm }, this.#waiting.size);
  }

  /** Begins as many attempts as may run. */
  #attempt(): void {
    if (this.#stopped.signal.aborted) return;
    const now = performance.now();
    for (const waiting of this.#waiting.values()) {
      if (this.#attempts.size >= this.#limits.attemptsMax) return;
      if (waiting.busy || waiting.dueAt > now) continue;
      waiting.busy = true;
      const attempt: Promise<void> = this.#send(waiting)
        .catch((err: unknown) => {
          // Redis is away: the event stays ours, and is sent again.
          waiting.dueAt = performance.now() + this.#limits.firstDelayMs;
          this.#report('webhook-round-failed', { realm: this.#options.realm }, { err });
        })
        .finally(() => {
          waiting.busy = false;
          this.#attempts.delete(attempt);
          this.#attempt();
          this.#wake.abort();
        });
      this.#attempts.add(attempt);
    }
  }

  async #send(waiting: Waiting): Promise<void> {
    const { entryId, record, tries } = waiting;
    const id = idIn(record);
    if (id === null) return this.#bury(waiting, { kind: 'failed', why: 'unreadable' }, null);
    const headers = signedHeaders(this.#key, { id, atMs: Date.now(), body: record });
    const posted = await this.#poster.post(headers, record, this.#stopped.signal);
    const { realm } = this.#options;
    switch (posted.kind) {
      case 'stopped':
        return;
      case 'failed':
        return this.#failed(waiting, posted, id);
      case 'gone':
        await this.#group.disable(this.#mark);
        this.#report('webhooks-disabled', { realm });
        return this.#bury(waiting, posted, id);
      case 'accepted':
        await this.#group.done(entryId);
        this.#waiting.delete(entryId);
        this.#report('webhook-delivered', { realm }, { id, tries });
    }
  }

  async #failed(waiting: Waiting, posted: Extract<Posted, { kind: 'failed' }>, id: string): Promise<void> {
    const { entryId, tries } = waiting;
    const { realm } = this.#options;
    const delayMs = delayAfter(tries, this.#limits);
    if (Date.now() + delayMs - Number(entryId.split('-')[0]) > this.#limits.retryForMs) return this.#bury(waiting, posted, id);
    this.#report('webhook-refused', { realm, why: posted.why }, { id, tries, status: posted.status, nextInMs: delayMs });
    this.#waiting.set(entryId, Object.assign(waiting, { tries: tries + 1, dueAt: performance.now() + delayMs }));
    await this.#group.failed(entryId, tries);
  }

  async #bury({ entryId, record, tries }: Waiting, posted: Posted | { kind: 'failed'; why: 'unreadable' }, id: string | null): Promise<void> {
    const why = posted.kind === 'failed' ? posted.why : posted.kind;
    const status = 'status' in posted ? posted.status : undefined;
    await this.#group.bury(entryId, { v: 1, id, why, status, tries, givenUpAtMs: Date.now(), record }, this.#limits.deadMax);
    this.#waiting.delete(entryId);
    this.#report('webhook-dead', { realm: this.#options.realm, why }, { id, tries, status });
  }

  /** Until the next look; an attempt that ends calls for one at once when there is more to take. */
  async #pause(more: boolean): Promise<void> {
    this.#pending.set({ realm: this.#options.realm }, this.#waiting.size);
    this.#wake = new AbortController();
    const signals = more ? [this.#wake.signal, this.#stopped.signal] : [this.#stopped.signal];
    await delay(this.#limits.pollMs, undefined, { signal: AbortSignal.any(signals) }).catch(() => undefined);
  }
}

function idIn(record: string): string | null {
  try {
    const { id } = JSON.parse(record) as { id?: unknown };
    return typeof id === 'string' && idPattern.test(id) ? id : null;
  } catch {
    return null;
  }
}
