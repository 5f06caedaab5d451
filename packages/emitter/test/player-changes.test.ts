import { roomOf, type UserId } from '@skirmish/protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createEmitter, isBinding, PlayerChanges } from '../src/index.ts';
import { createTestRealm, type TestRealm } from './_realm.ts';

let realm: TestRealm;
let changes: PlayerChanges;
beforeAll(async () => {
  realm = await createTestRealm();
  changes = new PlayerChanges(realm.redis, realm.realm);
});
afterAll(() => { realm.close(); });

const user = (id: string) => id as UserId;
const markOf = async (id: string): Promise<string | null> => (await changes.of(user(id))).mark;

describe('the change mark of a user', () => {
  it('is another one after every change, the same until then, and of that user alone', async () => {
    expect(await changes.of(user('a'))).toEqual({ mark: null, tokensValidFromMs: 0 });
    await changes.mark([user('a'), user("b' or %7Bx%7D")]);
    const first = await markOf('a');
    expect(first).toMatch(/^[\w-]{12}$/);
    expect(await markOf('a')).toBe(first);
    expect(await markOf("b' or %7Bx%7D")).not.toBeNull();
    expect(await markOf('c')).toBeNull();
    await changes.mark([user('a')]);
    expect(await markOf('a')).not.toBe(first);
  });

  it('stays binding once it was, until it is forgotten', async () => {
    await changes.mark([user('d')]);
    expect(isBinding(await markOf('d'))).toBe(false);
    await changes.mark([user('d')], { binding: true });
    const banned = await markOf('d');
    expect(isBinding(banned)).toBe(true);
    await changes.mark([user('d')]);
    expect(isBinding(await markOf('d'))).toBe(true);
    expect(await markOf('d')).not.toBe(banned);
    expect(await realm.redis.pttl(realm.keys.changed(user('d')))).toBeGreaterThan(590_000);
  });

  it('is set for thousands in a few commands', async () => {
    const many = Array.from({ length: 2_001 }, (_, n) => user(`many-${n}`));
    const calls = async (): Promise<number> => Number(/cmdstat_evalsha:calls=(\d+)/.exec(await realm.redis.info('commandstats'))?.[1] ?? 0);
    await changes.mark([user('warm')]);
    const before = await calls();
    await changes.mark(many);
    expect(await calls() - before).toBeGreaterThanOrEqual(5);
    expect((await Promise.all(['many-0', 'many-1000', 'many-2000'].map(markOf))).every((mark) => mark !== null)).toBe(true);
  });
});

describe('the tokens of a user', () => {
  it('are void before the latest revocation, in whatever order they come', async () => {
    await changes.revoke(user('e'), 2_000, 60_000);
    await changes.revoke(user('e'), 1_000, 60_000);
    expect((await changes.of(user('e'))).tokensValidFromMs).toBe(2_000);
    await changes.revoke(user('e'), 3_000, 60_000);
    expect((await changes.of(user('e'))).tokensValidFromMs).toBe(3_000);
  });
});

describe('a wish to read users again', () => {
  it('goes to the gateways that have them and to no other, and is nothing that a resume replays', async () => {
    await realm.enter('with', [roomOf.user(user('f'))]);
    await realm.enter('without', []);
    await createEmitter({ redis: realm.redis, realm: realm.realm }).reread({ rooms: [roomOf.user(user('f'))] });
    expect(await realm.inbox('with')).toMatchObject([{ type: '5', data: { reread: true, rooms: [], opts: { rooms: ['user:f'] } } }]);
    expect(await realm.inbox('without')).toEqual([]);
    expect(await realm.redis.exists(realm.keys.moves(roomOf.user(user('f'))), realm.keys.log(roomOf.user(user('f'))))).toBe(0);
  });
});
