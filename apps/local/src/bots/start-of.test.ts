import { expect, it } from 'vitest';
import { startOf } from './start-of.ts';

it('is where the contract puts the characters', () => {
  expect(startOf(1)).toEqual({ x: 401, y: 400 });
  expect(startOf(200)).toEqual({ x: 400, y: 450 });
  expect(startOf(480)).toEqual({ x: 480, y: 500 });
  expect([startOf(481), startOf(500)]).toEqual([{ x: 985, y: 500 }, { x: 985, y: 500 }]);
});
