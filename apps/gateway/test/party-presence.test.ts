import type { Party } from '@skirmish/protocol';
import { eventually, startProcess, startRedis } from '@skirmish/testing';
import { expect, it } from 'vitest';
import { type Client, join, secret } from './_gateway.ts';
import { changesHeard, enter, startWatchBench, watch, type WatchBench } from './_watch-bench.ts';

/** p1 and p12 share neither guild nor zone; what they may know of each other is the party's. */
const [leaderId, memberId] = ['p1', 'p12'];
let commands = 0;

async function ask(client: Client, verb: string, payload: object = {}): Promise<Party> {
  const answer = await client.ask<{ party: Party }>(`party:${verb}`, { commandId: `c${(commands += 1)}`, ...payload });
  if (!answer.ok) throw new Error(answer.error.code);
  return answer.data.party;
}

async function gather(leader: Client, member: Client): Promise<Party> {
  await ask(leader, 'create');
  const { id } = await ask(leader, 'invite', { userId: memberId });
  return ask(member, 'accept', { partyId: id });
}

/** Who is shown to be in the party and online, by the newest that a member was told. */
const shown = (client: Client): string => {
  const party = client.payloads<{ party: Party }>('party:updated').at(-1)?.party;
  return party?.members.map(({ userId, online }) => (online ? userId : `(${userId})`)).join(' ') ?? '';
};
const becomes = (read: () => unknown, value: unknown, timeoutMs = 10_000): Promise<void> => eventually(() => { expect(read()).toEqual(value); }, { timeoutMs, what: `${JSON.stringify(value)} to be told` });

async function drop(bench: WatchBench, client: Client, gateway: number): Promise<void> {
  const id = client.socket.id ?? '';
  client.socket.io.engine.close();
  await eventually(() => bench.served(gateway).sessions.get(id) === undefined, { what: 'the end of a socket' });
}

it('[PRS6] [PTY9] members of a party know of each other from the accepting to the kick, and presence and party say the same of who is away', async () => {
  await using bench = await startWatchBench(1_000);
  const [leader, member] = await enter(bench, leaderId, memberId) as [Client, Client];
  expect([await watch(leader, memberId), await watch(member, leaderId)]).toEqual([{ [memberId]: 'offline' }, { [leaderId]: 'offline' }]);
  await gather(leader, member);
  await becomes(() => changesHeard(member), [`${leaderId} online`]);
  await becomes(() => changesHeard(leader), [`${memberId} online`]);
  await drop(bench, member, 1);
  await becomes(() => changesHeard(leader).slice(1), [`${memberId} offline`]);
  await becomes(() => shown(leader), `${leaderId} (${memberId})`);
  member.socket.connect();
  await becomes(() => shown(leader), `${leaderId} ${memberId}`);
  // Others may hear of it before it does.
  await becomes(() => member.socket.connected, true);
  expect(member.socket.recovered).toBe(true);
  await becomes(() => changesHeard(leader).slice(2), [`${memberId} online`]);
  expect(await watch(member, leaderId)).toEqual({ [leaderId]: 'online' });
  await ask(leader, 'kick', { userId: memberId });
  await becomes(() => changesHeard(member).at(-1), `${leaderId} offline`);
  await becomes(() => changesHeard(leader).slice(3), [`${memberId} offline`]);
  const { id } = await ask(leader, 'invite', { userId: memberId });
  await ask(member, 'accept', { partyId: id });
  await becomes(() => changesHeard(leader).slice(4), [`${memberId} online`]);
  await ask(member, 'leave');
  await becomes(() => changesHeard(leader).slice(5), [`${memberId} offline`]);
  expect(changesHeard(member)).toEqual([`${leaderId} online`, `${leaderId} offline`, `${leaderId} online`, `${leaderId} offline`]);
  await ask(leader, 'leave');
  for (const client of [leader, member]) client[Symbol.dispose]();
  await bench.announced();
  expect(await bench.redis.exists(bench.keys.parties, bench.keys.partyOf(leaderId as never), bench.keys.partyOf(memberId as never))).toBe(0);
}, 60_000);

it('[PTY9] members on a gateway that was killed are shown as away with its end, not a grace later', async () => {
  // Half of it is much more than a slow machine needs.
  const graceMs = 60_000;
  await using server = await startRedis();
  // A process that stands still for a second is not taken for dead.
  await using bench = await startWatchBench(graceMs, { redisUrl: server.url, renewIntervalMs: 1_000 });
  await using doomed = await startProcess({
    name: 'gateway', entry: new URL('../src/main.ts', import.meta.url),
    env: { NODE_ENV: 'development', LOG_LEVEL: 'warn', SOCKET_HOST: '127.0.0.1', SOCKET_PORT: '0', INTERNAL_PORT: '0', DATABASE_URL: bench.world.databaseUrl, JWT_SECRET: secret, EPOCH_GRACE_MS: '100', READ_BLOCK_MS: '200', EVENT_LOOP_DELAY_MAX_MS: '60000', ...bench.env },
  });
  const leader = await join(bench.gateways[0]!, leaderId);
  using member = await join({ url: `http://127.0.0.1:${doomed.ready.publicPort ?? 0}`, realm: bench.gateways[0]!.realm }, memberId);
  await gather(leader, member);
  await doomed.kill();
  await eventually(async () => { expect(await bench.redis.exists(bench.keys.user(memberId as never))).toBe(0); }, { timeoutMs: 20_000, what: 'the end of the gateway to be noticed' });
  await becomes(() => shown(leader), `${leaderId} (${memberId})`, graceMs / 2);
  leader[Symbol.dispose]();
}, 120_000);
