import { describe, expect, it } from 'vitest';
import { createSeriesLimit } from './label-values.ts';

describe('createSeriesLimit', () => {
  it('lets the first combinations through, for ever, and folds later ones', () => {
    const limit = createSeriesLimit(['queue', 'outcome'], 2);
    expect(limit({ queue: 'a', outcome: 'ok' })).toEqual({ queue: 'a', outcome: 'ok' });
    expect(limit({ queue: 'a', outcome: 'no' })).toEqual({ queue: 'a', outcome: 'no' });
    expect(limit({ queue: 'b', outcome: 'ok' })).toEqual({ queue: 'other', outcome: 'other' });
    expect(limit({ queue: 'a', outcome: 'ok' })).toEqual({ queue: 'a', outcome: 'ok' });
  });

  it('does not take two combinations for one', () => {
    const limit = createSeriesLimit(['a', 'b'], 1);
    limit({ a: 'x', b: 'yz' });
    expect(limit({ a: 'xy', b: 'z' })).toEqual({ a: 'other', b: 'other' });
  });
});
