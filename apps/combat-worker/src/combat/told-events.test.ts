import { expect, it } from 'vitest';
import { createToldEvents } from './told-events.ts';

it('remembers the fights that were told last, and no more than it may', () => {
  const told = createToldEvents(2);
  told.remember('a', 1);
  told.remember('b', 4);
  told.remember('a', 2);
  told.remember('c', 7);
  expect([told.upTo('a'), told.upTo('b'), told.upTo('c'), told.upTo('d')]).toEqual([2, 0, 7, 0]);
});
