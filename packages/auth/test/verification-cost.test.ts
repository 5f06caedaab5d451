import { type KeyObject, sign, verify } from 'node:crypto';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { createKeySet, createVerifier } from '../src/index.ts';
import { asymmetric, claims, forge, issuer, jwksOf, makePairs, nowMs, type Pairs, secret, serveJson } from './_issuer.ts';

const verifications = 10_000;
const atOnce = 100;
const cpuSecondsMax = 2.5;

async function cpuSecondsOf(work: () => Promise<void>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000_000;
}

/** As many signatures, looked at by OpenSSL alone. */
async function verifyBare({ publicKey, privateKey }: Pairs['ES256'], algorithm: (typeof asymmetric)[number]): Promise<void> {
  const data = Buffer.from('x'.repeat(200));
  const digest = algorithm === 'EdDSA' ? null : 'sha256';
  const signature = sign(digest, data, privateKey);
  const verifyOne = promisify<string | null, Buffer, KeyObject, Buffer, boolean>(verify);
  for (let n = 0; n < verifications; n += atOnce) await Promise.all(Array.from({ length: atOnce }, () => verifyOne(digest, data, publicKey, signature)));
}

it.each(['HS256', ...asymmetric] as const)(`10,000 verifications of %s cost less than ${cpuSecondsMax} CPU seconds of this process, all threads`, async (algorithm) => {
  const pairs = makePairs();
  await using server = await serveJson(() => ({ keys: jwksOf(pairs) }));
  const verifier = createVerifier({ secret, keys: createKeySet({ url: server.url, now: () => nowMs }), issuer, audience: 'skirmish', now: () => nowMs });
  // Different ones, as of different players: no answer can be kept from an earlier token.
  const tokens = Array.from({ length: atOnce }, (_, n) => {
    const own = { ...claims, sub: `p${n}` };
    return algorithm === 'HS256' ? forge({ alg: 'HS256' }, own, 'HS256', secret) : forge({ alg: algorithm, kid: algorithm }, own, algorithm, pairs[algorithm].privateKey);
  });
  const verifyAll = () => Promise.all(tokens.map((token) => verifier.verify(token)));
  expect((await verifyAll()).map(({ userId }) => userId)).toEqual(tokens.map((_, n) => `p${n}`));
  const cpuSeconds = await cpuSecondsOf(async () => {
    for (let n = 0; n < verifications; n += atOnce) await verifyAll();
  });
  process.stdout.write(`${algorithm}: 10,000 verifications ${cpuSeconds.toFixed(2)} CPU s, ${((cpuSeconds / verifications) * 1_000_000).toFixed(0)} µs each\n`);
  // A slow processor is measured by what the bare signatures cost it.
  const bareCpuSeconds = cpuSeconds < cpuSecondsMax || algorithm === 'HS256' ? 0 : await cpuSecondsOf(() => verifyBare(pairs[algorithm], algorithm));
  expect(cpuSeconds).toBeLessThan(Math.max(cpuSecondsMax, 2.5 * bareCpuSeconds));
  expect(server.requests()).toBe(algorithm === 'HS256' ? 0 : 1);
}, 60_000);
