import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { lockHolder, tryLock, waitForLock } from '../bootstrap/lock.mjs';

const folder = mkdtempSync(join(tmpdir(), 'skirmish-locks-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('is held by one at a time, and free again when given back', async () => {
  const file = join(folder, 'one.lock');
  const first = tryLock(file);
  expect([first.holder, lockHolder(file)]).toEqual([null, process.pid]);
  expect(tryLock(file)).toEqual({ release: null, holder: process.pid });
  const waited = waitForLock(file, () => first.release?.());
  (await waited)();
  expect([existsSync(file), lockHolder(file)]).toEqual([false, null]);
  expect(readdirSync(folder)).toEqual([]);
});

it('is free when its holder is dead, and when the number of its holder belongs to another process now', async () => {
  const file = join(folder, 'stale.lock');
  const child = spawn(process.execPath, ['-e', `import(process.argv[1]).then(({ tryLock }) => { tryLock(process.argv[2]); process.exit(0); })`, new URL('../bootstrap/lock.mjs', import.meta.url).href, file]);
  await once(child, 'exit');
  expect([existsSync(file), lockHolder(file)]).toEqual([true, null]);
  tryLock(file).release?.();
  writeFileSync(file, JSON.stringify({ pid: process.pid, began: 'at another time' }));
  expect(lockHolder(file)).toBeNull();
  const taken = tryLock(file);
  expect(taken.holder).toBeNull();
  taken.release?.();
  writeFileSync(file, 'half a li');
  expect(tryLock(file).holder).toBeNull();
});

it('is never held by two of many who want it at once', async () => {
  const file = join(folder, 'many.lock');
  writeFileSync(file, JSON.stringify({ pid: 1, began: 'long ago' }));
  const script = `
    import { waitForLock } from ${JSON.stringify(new URL('../bootstrap/lock.mjs', import.meta.url).href)};
    import { spawnSync } from 'node:child_process';
    import { mkdirSync, rmdirSync } from 'node:fs';
    for (let round = 0; round < 5; round += 1) {
      const release = await waitForLock(process.argv[1], () => undefined);
      mkdirSync(process.argv[1] + '.inside');
      spawnSync('true');
      rmdirSync(process.argv[1] + '.inside');
      release();
    }`;
  const children = Array.from({ length: 6 }, () => spawn(process.execPath, ['--input-type=module', '-e', script, file], { stdio: ['ignore', 'ignore', 'inherit'] }));
  expect(await Promise.all(children.map(async (child) => (await once(child, 'exit'))[0] as number))).toEqual([0, 0, 0, 0, 0, 0]);
}, 60_000);
