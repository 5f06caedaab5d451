import { randomUUID } from 'node:crypto';
import type { UserId } from '@skirmish/protocol';
import { startTcpProxy } from '@skirmish/testing';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRefreshFamilies, type RefreshTokenOfFamily } from '../src/index.ts';
import { createTestWorld, type TestWorld } from './_test-world.ts';

let world: TestWorld;
beforeAll(async () => {
  world = await createTestWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

let users = 0;
const newUser = (): UserId => `refreshing-${(users += 1)}` as UserId;
const monthMs = 30 * 86_400_000;
const newToken = (userId = newUser()): RefreshTokenOfFamily & { expiresAtMs: number } => ({ userId, familyId: randomUUID(), tokenId: randomUUID(), expiresAtMs: Date.now() + monthMs });
const next = () => ({ tokenId: randomUUID(), expiresAtMs: Date.now() + monthMs });
const rowsOf = (userId: string) => world.database.db.selectFrom('refresh_families').selectAll().where('user_id', '=', userId).orderBy('used_at_ms').execute();

describe('a family of refresh tokens', () => {
  it('goes from one token to the next, and expires with the newest', async () => {
    const families = createRefreshFamilies(world.database);
    const first = newToken();
    await families.begin(first);
    let shown: RefreshTokenOfFamily = first;
    for (let n = 0; n < 5; n += 1) {
      const following = { tokenId: randomUUID(), expiresAtMs: first.expiresAtMs + n };
      expect(await families.rotate(shown, following)).toBe(true);
      shown = { ...shown, tokenId: following.tokenId };
    }
    expect(await rowsOf(first.userId)).toMatchObject([{ family_id: first.familyId, current_token_id: shown.tokenId, expires_at_ms: first.expiresAtMs + 4, revoked_at_ms: null }]);
  });

  it('[TOK5] is revoked when a token is used again: the old one and every later one', async () => {
    const families = createRefreshFamilies(world.database);
    const first = newToken();
    const [second, third] = [next(), next()];
    await families.begin(first);
    expect(await families.rotate(first, second)).toBe(true);
    expect(await families.rotate({ ...first, tokenId: second.tokenId }, third)).toBe(true);
    expect(await families.rotate(first, next())).toBe(false);
    expect(await families.rotate({ ...first, tokenId: third.tokenId }, next())).toBe(false);
    expect(await rowsOf(first.userId)).toMatchObject([{ current_token_id: third.tokenId, revoked_at_ms: expect.any(Number) }]);
  });

  it('[TOK5] has one winner of many who show the same token at once, and is revoked then', async () => {
    const pools = Array.from({ length: 4 }, () => createRefreshFamilies(world.open({ poolMax: 1 })));
    for (let round = 0; round < 20; round += 1) {
      const first = newToken();
      await pools[0]!.begin(first);
      const following = pools.map(() => next());
      const results = await Promise.all(pools.map((families, n) => families.rotate(first, following[n]!)));
      expect(results.filter(Boolean)).toHaveLength(1);
      const winner = following[results.indexOf(true)]!;
      expect(await pools[0]!.rotate({ ...first, tokenId: winner.tokenId }, next())).toBe(false);
    }
  });

  it('is nobody else\'s: neither a foreign user nor a guessed token or family moves it', async () => {
    const families = createRefreshFamilies(world.database);
    const first = newToken();
    await families.begin(first);
    expect(await families.rotate({ ...first, userId: newUser() }, next())).toBe(false);
    expect(await families.rotate({ ...first, familyId: randomUUID() }, next())).toBe(false);
    expect(await families.rotate(first, next())).toBe(true);
  });

  it('behaves as its model does, whatever is shown in whatever order', async () => {
    const families = createRefreshFamilies(world.database);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat({ max: 5 }), { maxLength: 12 }), async (shows) => {
        const first = newToken();
        await families.begin(first);
        const issued = [first.tokenId];
        let revoked = false;
        for (const show of shows) {
          const tokenId = issued[Math.max(0, issued.length - 1 - show)]!;
          const good = !revoked && tokenId === issued.at(-1);
          const following = next();
          expect(await families.rotate({ ...first, tokenId }, following)).toBe(good);
          if (good) issued.push(following.tokenId);
          else revoked = true;
        }
      }),
      { numRuns: 40 },
    );
  });
});

describe('families', () => {
  it('are 20 per user; the one that was unused for longest goes', async () => {
    const families = createRefreshFamilies(world.database);
    const userId = newUser();
    const tokens = Array.from({ length: 20 }, () => newToken(userId));
    // One after the other, each in a millisecond of its own.
    for (const [n, token] of tokens.entries()) {
      await families.begin(token);
      await world.database.db.updateTable('refresh_families').set({ used_at_ms: n + 1 }).where('family_id', '=', token.familyId).execute();
    }
    const renewed = next();
    expect(await families.rotate(tokens[0]!, renewed)).toBe(true);
    await families.begin(newToken(userId));
    expect(await rowsOf(userId)).toHaveLength(20);
    expect(await families.rotate(tokens[1]!, next())).toBe(false);
    expect(await families.rotate({ ...tokens[0]!, tokenId: renewed.tokenId }, next())).toBe(true);
  });

  it('are bounded also when many begin at once', async () => {
    const families = createRefreshFamilies(world.open({ poolMax: 4 }), { familiesMax: 3 });
    const userId = newUser();
    await Promise.all(Array.from({ length: 20 }, () => families.begin(newToken(userId))));
    expect(await rowsOf(userId)).toHaveLength(3);
  });

  it('that have expired are deleted by whoever begins one', async () => {
    const families = createRefreshFamilies(world.database);
    const [gone, late, living] = [newToken(), newToken(), newToken()];
    await families.begin({ ...gone, expiresAtMs: Date.now() - 120_000 });
    await families.begin({ ...late, expiresAtMs: Date.now() - 1_000 });
    await families.begin(living);
    expect([await rowsOf(gone.userId), (await rowsOf(late.userId)).length, (await rowsOf(living.userId)).length]).toEqual([[], 1, 1]);
  });

  it('hold no token, only ids', async () => {
    expect(Object.keys((await world.database.db.selectFrom('refresh_families').selectAll().executeTakeFirstOrThrow())).sort()).toEqual(
      ['current_token_id', 'expires_at_ms', 'family_id', 'revoked_at_ms', 'used_at_ms', 'user_id'],
    );
  });

  it('cannot be had while Postgres is away: server/unavailable, and the token is good afterwards', async () => {
    const url = new URL(world.url);
    await using proxy = await startTcpProxy({ targetPort: Number(url.port) });
    url.port = String(proxy.port);
    const families = createRefreshFamilies(world.open({ url: url.href, poolMax: 1 }));
    const first = newToken();
    await families.begin(first);
    proxy.blackhole();
    await expect(families.rotate(first, next())).rejects.toMatchObject({ code: expect.stringMatching(/^server\/(?:unavailable|busy)$/) });
    await expect(families.begin(newToken())).rejects.toMatchObject({ code: expect.stringMatching(/^server\/(?:unavailable|busy)$/) });
    proxy.heal();
    expect(await createRefreshFamilies(world.database).rotate(first, next())).toBe(true);
  });
});
