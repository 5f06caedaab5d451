import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { startPostgres } from '../src/index.ts';

it('a lock of a Postgres that was killed is in nobody’s way, even when its number belongs to another process now', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'skirmish-lock-'));
  const dataDir = join(folder, 'data');
  try {
    const first = await startPostgres({ dataDir });
    await first.kill();
    // As after a start of the container: the number of the dead postmaster is ours now.
    await writeFile(join(dataDir, 'postmaster.pid'), `${process.pid}\n${dataDir}\n1\n${first.port}\n\n127.0.0.1\n`);
    await using second = await startPostgres({ dataDir });
    expect(second.isRunning()).toBe(true);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}, 60_000);
