import type { Party } from '@skirmish/protocol';
import { eventually } from '@skirmish/testing';
import { expect, it } from 'vitest';
import { gather, PartyGuests } from './_parties.ts';
import { startRoomsBench } from './_rooms.ts';

it('[PTY9] a member who is back is shown so at the next look, also when Redis failed as it came', async () => {
  // Much less than the time after which every party is looked at.
  await using bench = await startRoomsBench([], { RATE_LIMIT_SCALE: '1000', PRESENCE_GRACE_MS: '300', PARTY_SWEEP_MS: '50' });
  const guests = new PartyGuests();
  const [leader, member] = [await guests.enter(bench, 0, 'p1'), await guests.enter(bench, 1, 'p2')];
  const { id } = await gather(leader, member);
  const isShown = (online: boolean) => leader.client.hears<{ party: Party }>('party:updated', ({ party }) => party.members[1]?.online === online);
  await member.drop(bench, 1);
  await isShown(false);
  const before = leader.client.payloads('party:updated').length;

  const { redis } = bench.served(2).transport;
  const send = redis.sendCommand.bind(redis);
  let failures = 0;
  redis.sendCommand = (command, stream) => {
    if (failures === 3 || !command.args.includes(id)) return send(command, stream);
    failures += 1;
    command.reject(new Error('Connection is closed.'));
    return command.promise;
  };
  expect(await member.comeBack(bench, 2)).toBe(true);
  await eventually(() => { expect(leader.client.payloads<{ party: Party }>('party:updated').slice(before).at(-1)?.party.members[1]?.online).toBe(true); }, { timeoutMs: 15_000, what: 'the return to be told' });
  expect(failures).toBe(3);
  redis.sendCommand = send;
  await guests.leave();
}, 60_000);
