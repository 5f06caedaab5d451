import { expect, it } from 'vitest';
import { checkInboxWriters } from './inbox-writers.ts';
import { readSourceTree } from './source-tree.ts';

it('nobody but the routing script writes to an inbox or a room log', () => {
  expect(checkInboxWriters(readSourceTree())).toEqual([]);
});

it('names the file that does, also when it calls a script of its own, and leaves tests alone', () => {
  const planted = [
    { path: 'apps/combat-worker/src/combat/tell.ts', text: 'await redis.xadd(keys.inbox(id), "*", "a", "b")' },
    { path: 'packages/queue/src/push.ts', text: "redis.call('XADD', K .. 'log:' .. room, '*')" },
    { path: 'packages/queue/test/push.test.ts', text: 'redis.xadd(inbox)' },
    { path: 'packages/queue/src/other.ts', text: 'const maxAdd = 1' },
  ];
  expect(checkInboxWriters(planted).map((line) => line.split(' ')[0])).toEqual(['apps/combat-worker/src/combat/tell.ts', 'packages/queue/src/push.ts']);
});
