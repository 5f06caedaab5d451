import { createHmac } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type BackendRecord, parseBackendRecord, type PartyId, roomOf, type UserId } from '@skirmish/protocol';
import { keysOf } from '@skirmish/redis';
import { eventually } from '@skirmish/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Cluster, startCluster } from './_cluster.ts';

const secret = 'a secret of the tests, at least 32 bytes long';
const hooks: { id: string; body: string; valid: boolean }[] = [];
const receiver = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => void chunks.push(chunk)).on('end', () => {
    const body = Buffer.concat(chunks).toString();
    const { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signature } = request.headers;
    const expected = createHmac('sha256', secret).update(`${String(id)}.${String(timestamp)}.${body}`).digest('base64');
    hooks.push({ id: String(id), body, valid: signature === `v1,${expected}` });
    response.writeHead(204).end();
  });
});

let cluster: Cluster;
beforeAll(async () => {
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`;
  cluster = await startCluster({ gateways: 3, env: { RENEW_INTERVAL_MS: '1000', WEBHOOK_URL: url, WEBHOOK_SECRET: secret } });
});
afterAll(async () => {
  await cluster.stop();
  receiver.closeAllConnections();
  await new Promise((resolve) => receiver.close(resolve));
});

it('[BCK3] the disconnects of a killed gateway are told in its place, its rooms leave nothing, and each record is a signed webhook', async () => {
  const keys = keysOf(cluster.realm);
  const redis = cluster.command();
  await eventually(async () => ((await redis.xinfo('GROUPS', keys.backendEvents)) as unknown[]).length === 1, { what: 'the sender of webhooks' });
  const records = async (): Promise<BackendRecord[]> =>
    (await redis.xrange(keys.backendEvents, '-', '+')).map(([, fields]) => JSON.parse(fields[fields.indexOf('record') + 1] ?? '') as BackendRecord);
  const victims = ['p1', 'p2', 'p3'] as UserId[];
  const stays = await cluster.connect('p4', 1);
  for (const userId of victims) await cluster.connect(userId, 0);
  const party = roomOf.party('doomed' as PartyId);
  const emitter = cluster.emitter();
  await eventually(() => emitter.join({ rooms: victims.map((userId) => roomOf.user(userId)) }, [party]), { timeoutMs: 10_000 });
  await eventually(async () => (await redis.hlen(keys.members(party))) === 3, { timeoutMs: 10_000, what: 'the members of the party' });
  const socketIds = (await Promise.all(victims.map((userId) => redis.hkeys(keys.user(userId))))).flat();
  expect(socketIds).toHaveLength(3);

  await cluster.gateways[0]!.process.kill();

  const lost = async (): Promise<string[]> =>
    (await records()).flatMap(({ type, data }) => (type === 'user.disconnected' && 'reason' in data && data.reason === 'gateway-lost' && 'socketId' in data ? [data.socketId] : []));
  await eventually(async () => expect((await lost()).sort()).toEqual(socketIds.toSorted()), { timeoutMs: 20_000, what: 'the disconnects of the dead' });
  await eventually(async () => {
    const left = (await redis.keys(`${keys.prefix}*`)).filter((key) => /:(?:room|members):party:doomed$/.test(key));
    const seats = await redis.hkeys(keys.roster('meadow' as never));
    const users = await redis.exists(...victims.map((userId) => keys.user(userId)));
    expect({ left, seats, users }).toEqual({ left: [], seats: ['c4'], users: 0 });
  }, { timeoutMs: 20_000, what: 'nothing of the dead to be left' });

  await stays.ask('chat:send', { commandId: 'k1', channel: { kind: 'zone', id: 'meadow' }, text: 'vileword' });
  await eventually(async () => (await records()).some(({ type }) => type === 'message.refused'), { timeoutMs: 10_000, what: 'the refused message' });
  // Records may still come: both are read until they say the same.
  const told = await eventually(async () => {
    const now = await records();
    expect(new Set(hooks.map(({ id }) => id))).toEqual(new Set(now.map(({ id }) => id)));
    return now;
  }, { timeoutMs: 15_000, what: 'a webhook for each record' });
  expect(told.map(parseBackendRecord)).toEqual(told);
  expect(hooks.every(({ valid }) => valid)).toBe(true);
  for (const { id, body } of hooks) expect(told).toContainEqual(expect.objectContaining({ ...(JSON.parse(body) as object), id }));
}, 90_000);
