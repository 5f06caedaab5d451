import { expect, it } from 'vitest';
import { affected } from './watch-sources.ts';

const apps = (['gateway', 'gateway', 'combat-worker', 'moderation-worker'] as const).map((role) => ({ role }));

it('restarts the processes of the app that changed, and all of them for a package', () => {
  expect(affected(apps, ['apps/gateway/src'])).toEqual([{ role: 'gateway' }, { role: 'gateway' }]);
  expect(affected(apps, ['apps/combat-worker/src', 'apps/moderation-worker/src'])).toHaveLength(2);
  expect(affected(apps, ['packages/redis/src'])).toHaveLength(4);
});
