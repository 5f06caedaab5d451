import { expect, it } from 'vitest';
import { eventually, startProcess } from '../src/index.ts';

const entry = new URL('./_process.ts', import.meta.url);

it('waits for ready, keeps what was printed, hears a new id, and stops in order', async () => {
  await using child = await startProcess({ name: 'child', entry, env: { COLOUR: 'green' }, args: ['a b'] });
  expect(child.ready).toMatchObject({ id: 'one', publicPort: 4000 });
  await eventually(() => child.output().includes('green [a b] {}'));
  const ids: string[] = [];
  child.onReady(({ id }) => ids.push(id));
  child.send({ rename: 'two' });
  await eventually(() => ids.includes('two'));
  expect(child.ready.id).toBe('two');
  expect(await child.stop()).toBe(7);
  expect(child.isRunning()).toBe(false);
});

it('rejects with the last words of a process that ends, or stays silent', async () => {
  await expect(startProcess({ name: 'child', entry, args: ['fail'] })).rejects.toThrow(/child ended with code 3 before it was ready:\n.*cannot/s);
  await expect(startProcess({ name: 'child', entry, args: ['silent'], readyTimeoutMs: 500 })).rejects.toThrow('did not say that it is ready within 500 ms');
});

it('freezes and kills', async () => {
  const child = await startProcess({ name: 'child', entry });
  child.pause();
  child.send({ rename: 'late' });
  expect(child.ready.id).toBe('one');
  child.resume();
  await eventually(() => child.ready.id === 'late');
  await child.kill();
  expect(await child.exited).toBeNull();
});
