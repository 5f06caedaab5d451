import type { Command, Redis } from 'ioredis';

/** `half-open`: a probe is under way; everything else is still refused. */
export type BreakerState = 'closed' | 'open' | 'half-open';

export interface BreakerOptions {
  /** With a command outstanding and no answer for so long the server counts as silent, milliseconds. Default 1,000. */
  silentAfterMs?: number;
  /** How often silence is looked for, and a silent server probed, milliseconds. Default 250. */
  tickMs?: number;
  /** Commands under way at most; more are refused. Default 10,000. */
  inFlightMax?: number;
  /** Hears when commands begin to be refused, and when they are sent again. */
  onChange?: (state: 'open' | 'closed') => void;
}

/** Says whether a connection takes commands. */
export interface Breaker {
  readonly state: BreakerState;
  /** How often it has opened. */
  readonly opened: number;
  /** Commands that were refused, or given up while they waited. */
  readonly refused: number;
  /** Commands that wait for their answer. */
  readonly inFlight: number;
}

/** A command was refused, or given up, because the server is connected and says nothing. It may have been carried out. */
export class RedisSilentError extends Error {
  override readonly name = 'RedisSilentError';

  constructor(reason = 'Redis does not answer') {
    super(reason);
  }
}

/**
 * Lets a connection refuse its commands at once while the server is connected but silent (frozen, or behind a network that swallows).
 * A connection that is lost needs no breaker: role `command` refuses by itself.
 *
 * Time decides, not a count: one unanswered command and nobody heard for `silentAfterMs`. What waits then is given up as well, so that a
 * caller waits at most `silentAfterMs + tickMs`. A PING probes the server until it answers. A pause of this process is not taken for one of Redis.
 */
export function addBreaker(redis: Redis, options: BreakerOptions = {}): Breaker {
  const breaker = new CommandBreaker(redis, options);
  redis.once('end', () => { breaker.stop(); });
  return breaker;
}

class CommandBreaker implements Breaker {
  readonly #redis: Redis;
  readonly #silentAfterMs: number;
  readonly #tickMs: number;
  readonly #inFlightMax: number;
  readonly #onChange: (state: 'open' | 'closed') => void;
  readonly #waiting = new Set<Command>();
  readonly #timer: NodeJS.Timeout;
  #waitingSince = performance.now();
  #tickedAt = performance.now();
  #state: BreakerState = 'closed';
  #probing = false;
  #opened = 0;
  #refused = 0;

  constructor(redis: Redis, { silentAfterMs = 1000, tickMs = 250, inFlightMax = 10_000, onChange = () => undefined }: BreakerOptions) {
    this.#redis = redis;
    this.#silentAfterMs = silentAfterMs;
    this.#tickMs = tickMs;
    this.#inFlightMax = inFlightMax;
    this.#onChange = onChange;
    const send = redis.sendCommand.bind(redis);
    redis.sendCommand = (command, stream) => {
      if (this.#refuses()) {
        this.#giveUp(command);
        return command.promise;
      }
      if (!this.#probing) this.#watch(command);
      return send(command, stream);
    };
    redis.on('close', () => { this.#close(); });
    this.#timer = setInterval(() => { this.#tick(); }, tickMs);
    this.#timer.unref();
  }

  get state(): BreakerState {
    return this.#state;
  }

  get opened(): number {
    return this.#opened;
  }

  get refused(): number {
    return this.#refused;
  }

  get inFlight(): number {
    return this.#waiting.size;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #refuses(): boolean {
    if (this.#probing) return false;
    return this.#state !== 'closed' || this.#waiting.size >= this.#inFlightMax;
  }

  #watch(command: Command): void {
    if (this.#waiting.size === 0) this.#waitingSince = performance.now();
    this.#waiting.add(command);
    const settled = (answered: boolean): void => {
      this.#waiting.delete(command);
      if (answered) this.#waitingSince = performance.now();
    };
    command.promise.then(
      () => { settled(true); },
      (error: unknown) => { settled(error instanceof Error && error.name === 'ReplyError'); },
    );
  }

  #giveUp(command: Command): void {
    this.#refused += 1;
    command.reject(new RedisSilentError());
  }

  #tick(): void {
    const now = performance.now();
    // The answers may lie in our own kernel: whoever was frozen himself has to read first.
    const pausedOurselves = now - this.#tickedAt > 2 * this.#tickMs + 50;
    this.#tickedAt = now;
    if (pausedOurselves) this.#waitingSince = now;
    if (this.#redis.status !== 'ready') return;
    if (this.#state === 'open') this.#probe();
    else if (this.#state === 'closed' && this.#waiting.size > 0 && now - this.#waitingSince > this.#silentAfterMs) this.#open();
  }

  #open(): void {
    this.#state = 'open';
    this.#opened += 1;
    this.#onChange('open');
    for (const command of this.#waiting) this.#giveUp(command);
    this.#waiting.clear();
    this.#probe();
  }

  #probe(): void {
    this.#state = 'half-open';
    this.#probing = true;
    const answer = this.#redis.ping();
    this.#probing = false;
    answer.then(
      () => { this.#close(); },
      () => { if (this.#state === 'half-open') this.#state = 'open'; },
    );
  }

  #close(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#onChange('closed');
  }
}
