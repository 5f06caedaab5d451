import { Rejection } from '@skirmish/protocol';
import { importJWK } from 'jose';
import * as v from 'valibot';

/** The algorithm that each type of key may be used with; a token never chooses. RFC 8725, 3.1. */
export const algorithmsOfKeys = ['ES256', 'EdDSA', 'RS256'] as const;
export type KeyAlgorithm = (typeof algorithmsOfKeys)[number];

export type VerifyingKey = Exclude<Awaited<ReturnType<typeof importJWK>>, Uint8Array>;

export interface KeySetOptions {
  /** https, or http on a loopback address. */
  readonly url: string;
  /** Time after which a set is fetched anew, in the background, milliseconds; default 10 min. */
  readonly refreshMs?: number;
  /** Least time between two fetches, milliseconds; default 30 s. A token with an unknown `kid` cannot force more of them. */
  readonly cooldownMs?: number;
  /** How long the last good set is used while its issuer is away, milliseconds; default 24 h. */
  readonly staleMsMax?: number;
  readonly timeoutMs?: number;
  /** How many callers may wait for the issuer at a time, so that its silence does not hold up everybody; the others are refused at once. Default 250. */
  readonly waitingMax?: number;
  readonly now?: () => number;
  /** Told of each fetch; for logs and metrics. Never told the contents. */
  readonly onFetch?: (outcome: 'fetched' | 'failed', error?: unknown) => void;
}

export interface KeySet {
  /**
   * The keys that a token with this header may be signed with, of the algorithm's own type only; empty when there is none.
   * Throws `server/unavailable` when no set could be had for 24 h, or ever, and when too many wait for one already.
   */
  keysFor(header: { readonly kid?: string | undefined; readonly algorithm: KeyAlgorithm }): Promise<readonly VerifyingKey[]>;
  /** Milliseconds since the issuer was asked for the set that is held; null before the first. A key that was published later may be missing. */
  ageMs(): number | null;
}

interface HeldKey {
  readonly kid: string | undefined;
  readonly algorithm: KeyAlgorithm;
  readonly key: VerifyingKey;
}

/** While there is no usable set every second one attempt is worth it: nobody can enter without. */
const emptyCooldownMs = 1_000;
const setBytesMax = 65_536;
const keysMax = 32;
const rsaBitsMin = 2_048;
/** A token without `kid` is tried against this many keys at most. */
const candidatesMax = 4;

const jwk = v.looseObject({ kty: v.string(), kid: v.exactOptional(v.pipe(v.string(), v.maxLength(256))), use: v.exactOptional(v.string()), alg: v.exactOptional(v.string()), crv: v.exactOptional(v.string()) });
const setSchema = v.object({ keys: v.pipe(v.array(v.unknown()), v.maxLength(keysMax)) });

/**
 * The public keys of an issuer (RFC 7517), fetched when they are first needed and then kept: refreshed in the background, fetched anew for
 * a `kid` that is not there, and used for up to a day while the issuer is away, because an outage of it must not log out a game.
 */
export function createKeySet(options: KeySetOptions): KeySet {
  const { url, refreshMs = 600_000, cooldownMs = 30_000, staleMsMax = 86_400_000, timeoutMs = 5_000, waitingMax = 250, now = Date.now, onFetch } = options;
  let held: readonly HeldKey[] | null = null;
  let askedAtMs = 0;
  let triedAtMs = -Infinity;
  let fetching: Promise<void> | null = null;
  let waiting = 0;

  async function fetchSet(): Promise<void> {
    const startedAtMs = now();
    triedAtMs = startedAtMs;
    try {
      held = await importKeys(await download(url, timeoutMs));
      askedAtMs = startedAtMs;
      onFetch?.('fetched');
    } catch (error) {
      onFetch?.('failed', error);
    }
  }
  const refresh = (): Promise<void> => {
    fetching ??= fetchSet().finally(() => { fetching = null; });
    return fetching;
  };
  const awaitRefresh = async (): Promise<void> => {
    if (waiting >= waitingMax) throw new Rejection('server/unavailable');
    waiting += 1;
    try {
      await refresh();
    } finally {
      waiting -= 1;
    }
  };
  const isStale = (): boolean => held === null || now() - askedAtMs > staleMsMax;
  const mayFetch = (): boolean => fetching !== null || now() - triedAtMs >= (isStale() ? Math.min(emptyCooldownMs, cooldownMs) : cooldownMs);
  const usable = (): readonly HeldKey[] => {
    if (held === null || now() - askedAtMs > staleMsMax) throw new Rejection('server/unavailable');
    return held;
  };

  return {
    async keysFor({ kid, algorithm }) {
      if (isStale() && mayFetch()) await awaitRefresh();
      const find = (): VerifyingKey[] => usable().filter((each) => each.algorithm === algorithm && (kid === undefined || each.kid === kid)).map(({ key }) => key);
      const found = find();
      if (found.length === 0 && kid !== undefined && mayFetch()) {
        await awaitRefresh();
        return find();
      }
      if (now() - askedAtMs > refreshMs && mayFetch()) void refresh();
      return found.slice(0, candidatesMax);
    },
    ageMs: () => (held === null ? null : now() - askedAtMs),
  };
}

async function download(url: string, timeoutMs: number): Promise<unknown> {
  // Not followed: a redirect would let whoever answers once choose the keys.
  const response = await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(timeoutMs), headers: { accept: 'application/json' } });
  if (!response.ok || response.body === null) throw new Error(`the key set answered ${response.status}`);
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
    bytes += chunk.byteLength;
    if (bytes > setBytesMax) throw new Error(`the key set is over ${setBytesMax} bytes`);
    chunks.push(chunk);
  }
  return JSON.parse(Buffer.concat(chunks).toString('utf8')) as unknown;
}

/** The usable ones of a set; throws when there is none, so that an issuer's mistake does not replace good keys. */
async function importKeys(body: unknown): Promise<HeldKey[]> {
  const { keys } = v.parse(setSchema, body);
  const held = (await Promise.all(keys.map(importKey))).filter((key) => key !== null);
  if (held.length === 0) throw new Error('the key set has no usable key');
  return held;
}

/** Null for keys of other types, for other uses, too short, symmetric or private. */
async function importKey(candidate: unknown): Promise<HeldKey | null> {
  const parsed = v.safeParse(jwk, candidate);
  if (!parsed.success) return null;
  const { kty, kid, use, alg, crv } = parsed.output;
  const algorithm = algorithmOf(kty, crv);
  if (algorithm === null || (use !== undefined && use !== 'sig') || (alg !== undefined && alg !== algorithm && !(alg === 'Ed25519' && algorithm === 'EdDSA'))) return null;
  if ('d' in parsed.output) return null;
  try {
    const key = await importJWK({ ...parsed.output, alg: algorithm }, algorithm);
    if (key instanceof Uint8Array || bitsOf(key) < rsaBitsMin) return null;
    return { kid, algorithm, key };
  } catch {
    return null;
  }
}

function algorithmOf(kty: string, crv: string | undefined): KeyAlgorithm | null {
  if (kty === 'EC' && crv === 'P-256') return 'ES256';
  if (kty === 'OKP' && crv === 'Ed25519') return 'EdDSA';
  return kty === 'RSA' ? 'RS256' : null;
}

/** Length of an RSA modulus; keys of curves have the length of their curve. */
function bitsOf(key: VerifyingKey): number {
  const { modulusLength } = ('algorithm' in key ? key.algorithm : {}) as { modulusLength?: number };
  return modulusLength ?? rsaBitsMin;
}
