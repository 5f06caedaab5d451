import { createEmitter } from '@skirmish/emitter';
import { roomOf } from '@skirmish/protocol';
import type { RealmId, ZoneId } from '@skirmish/protocol';
import { createRedis, keysOf, whenReady } from '@skirmish/redis';
import { eventually, startRedis } from '@skirmish/testing';
import { expect, it } from 'vitest';
import { join, startGateway, startWorld } from './_gateway.ts';

/** A Redis that refuses what a cluster refuses: keys of several slots in one script. Its one node has all slots. */
it('F24: every key of a running realm lies in one slot, and every script declares a key', async () => {
  const server = await startRedis({ args: ['--cluster-enabled', 'yes'] });
  const redis = createRedis({ url: server.url, name: 'test', role: 'command' });
  await whenReady(redis);
  await redis.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
  await eventually(async () => String(await redis.call('CLUSTER', 'INFO')).includes('cluster_state:ok'), { timeoutMs: 15_000, what: 'the cluster to be formed' });
  const monitor = await redis.monitor();
  const scripts: string[][] = [];
  const names = new Set<string>();
  monitor.on('monitor', (_time: string, args: string[]) => {
    names.add(args[0]?.toLowerCase() ?? '');
    if (/^(?:eval|evalsha|fcall)$/i.test(args[0] ?? '')) scripts.push(args);
  });
  const world = await startWorld();
  const gateway = await startGateway(world, { REDIS_URL: server.url, QUEUE_REDIS_URL: server.url });
  const realm = gateway.realm as RealmId;
  const [one, two] = [await join(gateway, 'p1'), await join(gateway, 'p2')];
  expect(await one.ask('chat:send', { commandId: 'slot-1', channel: { kind: 'zone', id: 'meadow' }, text: 'hello' })).toMatchObject({ ok: true });
  expect(await one.ask('combat:start', { commandId: 'slot-2', opponents: ['c2'] })).toMatchObject({ ok: true });
  const emitter = createEmitter({ redis, realm, epochGraceMs: 0 });
  await emitter.emit({ rooms: [roomOf.zone('meadow' as ZoneId)] }, 'app:n', { n: 1 }, { lane: { name: 'lane', seq: 1 } });
  await emitter.join({ rooms: [roomOf.zone('meadow' as ZoneId)] }, [roomOf.party('p' as never)]);
  await eventually(() => two.payloads('app:n' as never).length === 1);

  const keys = await redis.keys('*');
  expect(keys.length).toBeGreaterThan(12);
  const slots = await Promise.all(keys.map((key) => redis.call('CLUSTER', 'KEYSLOT', key)));
  expect(new Set(slots)).toEqual(new Set([await redis.call('CLUSTER', 'KEYSLOT', keysOf(realm).clock)]));
  await gateway.gateway.stop('test');
  await eventually(() => {
    expect(names).toContain('xadd');
    expect(scripts.length).toBeGreaterThan(10);
  });
  // EVAL text numkeys key…: with none a cluster does not know where the script belongs.
  expect(scripts.filter(([, , count = '0', first = '']) => Number(count) < 1 || !first.startsWith(keysOf(realm).prefix)).map((args) => args.slice(0, 4))).toEqual([]);
  one.socket.disconnect();
  two.socket.disconnect();
  monitor.disconnect();
  redis.disconnect();
  await server.stop();
  await world[Symbol.asyncDispose]();
}, 60_000);
