import { expect, it } from 'vitest';
import { eventually } from './eventually.ts';

it('resolves to the first true value, over false ones and errors', async () => {
  const answers = [() => false, () => 0, () => { throw new Error('not yet'); }, () => 'now'];
  expect(await eventually(() => answers.shift()?.(), { intervalMs: 1 })).toBe('now');
});

it('counts a probe without a value as passed when it does not throw', async () => {
  let calls = 0;
  await eventually(() => { calls += 1; if (calls < 3) throw new Error('not yet'); }, { intervalMs: 1 });
  expect(calls).toBe(3);
});

it('says what was waited for and the last failure', async () => {
  await expect(eventually(() => { throw new Error('too dark'); }, { timeoutMs: 20, what: 'the dawn' })).rejects.toThrow('the dawn did not come true within 20 ms (too dark)');
  await expect(eventually(() => false, { timeoutMs: 5 })).rejects.toThrow('last value: false');
});
