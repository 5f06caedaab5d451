import { expect, it } from 'vitest';
import { createKeySet, createVerifier } from '../src/index.ts';
import { asymmetric, claims, forge, issuer, jwksOf, makePairs, nowMs, secret, serveJson } from './_issuer.ts';

const verifications = 10_000;
const atOnce = 100;
const cpuSecondsMax = 2.5;

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
  const before = process.cpuUsage();
  for (let n = 0; n < verifications; n += atOnce) await verifyAll();
  const { user, system } = process.cpuUsage(before);
  const cpuSeconds = (user + system) / 1_000_000;
  process.stdout.write(`${algorithm}: 10,000 verifications ${cpuSeconds.toFixed(2)} CPU s, ${((cpuSeconds / verifications) * 1_000_000).toFixed(0)} µs each\n`);
  expect(cpuSeconds).toBeLessThan(cpuSecondsMax);
  expect(server.requests()).toBe(algorithm === 'HS256' ? 0 : 1);
}, 60_000);
