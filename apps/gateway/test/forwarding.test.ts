import { uniqueRealm } from '@skirmish/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startGateway, startWorld, type TestGateway, type TestWorld, tokenFor } from './_gateway.ts';
import { ask, engineUrl, joinByPolling, openSession } from './_polling.ts';

let world: TestWorld;
let owner: TestGateway;
let other: TestGateway;
beforeAll(async () => {
  world = await startWorld();
  const env = { REALMS: uniqueRealm() };
  owner = await startGateway(world, env);
  other = await startGateway(world, env);
});
afterAll(async () => {
  await owner[Symbol.asyncDispose]();
  await other[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

describe('a session whose requests reach another gateway', () => {
  it('has the incarnation of its owner in front of its id, and 144 bits behind', async () => {
    const sid = await openSession(owner.url);
    expect(sid).toMatch(new RegExp(`^${owner.gateway.incarnation}\\.[A-Za-z0-9_-]{24}$`));
    expect(await openSession(owner.url)).not.toBe(sid);
  });

  it('is served there as by its owner', async () => {
    const sid = await joinByPolling(owner, await tokenFor('p1'));
    const posted = await ask(engineUrl(other.url, sid), { method: 'POST', body: `42/realm/${owner.realm},7["session:ping",{"atMs":1}]` });
    expect([posted.status, posted.text]).toEqual([200, 'ok']);
    const polled = await ask(engineUrl(other.url, sid));
    expect(polled.status).toBe(200);
    expect(polled.text).toContain(`43/realm/${owner.realm},7[{"ok":true`);
  });
});
