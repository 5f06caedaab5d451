import { createEmitter } from '@skirmish/emitter';
import { announceReady } from '@skirmish/observability';
import type { RealmId } from '@skirmish/protocol';
import { createRedis, whenReady } from '@skirmish/redis';
import { burstsOf } from './_bursts.ts';

/** A process without sockets that emits numbered events when it is told to, as workers do. */
const redis = createRedis({ url: process.env['REDIS_URL'] ?? '', name: 'sending-worker', role: 'command' });
await whenReady(redis);
const emitter = createEmitter({ redis, realm: (process.env['REALMS'] ?? '') as RealmId, epochGraceMs: 200 });
burstsOf(async ({ room, sender, number }) => {
  await emitter.emit({ rooms: [room] }, 'app:numbered', { sender, number });
});
process.once('SIGTERM', () => process.exit(0));
process.once('disconnect', () => process.exit(0));
announceReady({ role: 'combat-worker', id: `sending-worker-${process.pid}` });
