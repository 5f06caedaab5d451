import { expect, it } from 'vitest';
import { createNarrator } from './narrator.ts';

it('prints the sentence and both times of each step, and nothing for one that fails', async () => {
  const lines: string[] = [];
  const narrator = createNarrator((line) => lines.push(line));
  expect(await narrator.tell(async () => 7, (count) => `${count} dwarfs arrive`)).toBe(7);
  await expect(narrator.tell(async () => Promise.reject(new Error('no dragon')), () => 'a dragon arrives')).rejects.toThrow('no dragon');
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatch(/^ +\d+\.\d{3} s +\+\d+ ms {2}7 dwarfs arrive$/);
});
