import { expect, it } from 'vitest';

import { defaultRateOf } from './rates.ts';

it('[RAT1] a chat message may come 10 times a second, 20 at once', () => {
  expect(defaultRateOf('chat:send')).toEqual({ ratePerSecond: 10, burst: 20, bucket: 'chat:send', scope: 'user', cluster: true });
});

it('[RAT2] a surplus of moves is no fault below 60 a second', () => {
  expect(defaultRateOf('character:move')).toMatchObject({ ratePerSecond: 10, strikePerSecond: 60 });
});

it('[RAT3] the commands of parties count together, their data apart', () => {
  expect(defaultRateOf('party:kick')).toEqual(defaultRateOf('party:leave'));
  expect(defaultRateOf('party:kick').bucket).toBe('party');
  expect(defaultRateOf('party:data').bucket).toBe('party:data');
});

it('[RAT1] everything else may come 20 times a second', () => {
  expect(defaultRateOf('zone:enter')).toEqual({ ratePerSecond: 20, burst: 20, bucket: 'zone:enter', scope: 'user' });
});
