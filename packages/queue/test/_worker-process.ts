/** A worker in a process of its own, for tests that kill or freeze it; it notes in a Redis list what it stepped. */
import { once } from 'node:events';

import { realmIdSchema } from '@skirmish/protocol';
import { createRedis, keysOf } from '@skirmish/redis';
import { timePasses } from '@skirmish/testing';
import * as v from 'valibot';

import { createLaneWorker } from '../src/index.ts';

const redisUrl = process.env['REDIS_URL'] ?? '';
const realm = v.parse(realmIdSchema, process.env['REALM']);
const redis = createRedis({ url: redisUrl, name: 'notes', role: 'worker' });
const notes = `${keysOf(realm).prefix}notes`;

const told = once(process, 'message');
const worker = createLaneWorker({
  redisUrl,
  realm,
  queue: 'combat',
  concurrency: 20,
  isInfrastructureError: () => false,
  sweep: { intervalMs: 600_000 },
  logger: { info: () => undefined, warn: () => undefined, error: () => undefined },
  step: async (command) => {
    const turn = command.kind === 'combat.start' ? 0 : command.body.turn;
    // What the turns do is the test's language: 666 kills its process once that is told to, 9xx takes that many milliseconds before it has an effect.
    if (turn === 666) {
      await told;
      process.kill(process.pid, 'SIGKILL');
    }
    if (turn >= 900 && turn < 10_000) await timePasses(turn, 'a step that works');
    await redis.rpush(notes, `${process.pid}/${command.key}/${turn}/${command.tries}`);
  },
});
await worker.ready();
process.on('SIGTERM', () => {
  void worker.close().then(() => process.exit(0));
});
process.on('disconnect', () => process.exit(0));
process.send?.({ type: 'ready', id: String(process.pid) });
