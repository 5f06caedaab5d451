import { roomOf, type CombatId, type UserId, type ZoneId } from '@skirmish/protocol';
import { msOfStreamId } from '@skirmish/redis';
import { eventually, timePasses } from '@skirmish/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Traveller } from './_traveller.ts';
import { openResumeField, userRoom, type ResumeField } from './_resume-field.ts';
import { RawSession } from './_raw-session.ts';

const meadow = roomOf.zone('meadow' as ZoneId);
const fight = roomOf.combat('requests' as CombatId);

/** A new session that was told so: none of the numbers of before, live from now on. */
async function expectAnew(field: ResumeField, session: RawSession, userId: string, earlier: RawSession): Promise<void> {
  expect(await field.numbersOf(session, userId)).toEqual([]);
  expect(session.recovered).toBe(false);
  expect(session.pid).not.toBe(earlier.pid);
  expect(session.reloadReason).toEqual(expect.any(String));
  const live = await field.emit([meadow]);
  expect(await field.numbersOf(session, userId)).toEqual([live]);
}

describe('what a client asks for', () => {
  let field: ResumeField;
  beforeAll(async () => { field = await openResumeField({ env: { REALMS: 'main,other', RATE_LIMIT_SCALE: '10' } }); });
  afterAll(() => field[Symbol.asyncDispose]());

  const soon = (positionMs: number, ms: number): string => `${positionMs + ms}-0`;
  const hostile: Record<string, (session: RawSession) => Record<string, unknown>> = {
    'an invented session id': () => ({ pid: 'AAAAAAAAAAAAAAAAAAAA' }),
    'an empty session id': () => ({ pid: '' }),
    'a very long session id': () => ({ pid: 'A'.repeat(10_000) }),
    'a session id with a name of Redis': () => ({ pid: 'x}:epoch' }),
    'a session id that is a property': () => ({ pid: '__proto__' }),
    'a session id with line breaks': () => ({ pid: 'a\r\nFLUSHALL\r\n' }),
    'a position of tomorrow': ({ offset }) => ({ offset: soon(msOfStreamId(offset), 86_400_000) }),
    'a position of the next second': ({ offset }) => ({ offset: soon(msOfStreamId(offset), 60_000) }),
    'a position from before the session': ({ offset }) => ({ offset: soon(msOfStreamId(offset), -600_000) }),
    'a position from just before the session': ({ events }) => ({ offset: soon(msOfStreamId(events[0]?.position ?? ''), -500) }),
    'position zero': () => ({ offset: '0-0' }),
    'an empty position': () => ({ offset: '' }),
    'a position that is no position': () => ({ offset: 'yesterday' }),
    'a position with a sign': ({ offset }) => ({ offset: `+${offset}` }),
    'a position as a fraction': ({ offset }) => ({ offset: `${msOfStreamId(offset)}.5-0` }),
    'a position that is too large for a number': () => ({ offset: '99999999999999999999-0' }),
    'an open range of Redis': () => ({ offset: '-' }),
    'a very long position': () => ({ offset: '1'.repeat(10_000) }),
  };
  it.each(Object.entries(hostile))('%s: a new session, nothing missed leaves the server', async (_name, make) => {
    const session = await field.begin('p2');
    await field.emitter.join({ rooms: [userRoom('p2')] }, [fight]);
    await field.leave(session, 'p2');
    await field.emit([userRoom('p2'), meadow, fight], { count: 3 });
    const answered = await field.resume(session, 'p2', { auth: make(session) });
    await expectAnew(field, answered, 'p2', session);
    answered.close();
  });

  it.each([{ pid: 5 }, { pid: null }, { pid: ['x'] }, { offset: 5 }, { offset: { a: 1 } }, { offset: null }])('a wrong type (%o): a new session', async (auth) => {
    const session = await field.begin('p4');
    await field.leave(session, 'p4');
    await field.emit([userRoom('p4')], { count: 3 });
    const answered = await field.resume(session, 'p4', { auth });
    expect(await field.numbersOf(answered, 'p4')).toEqual([]);
    expect(answered.recovered).toBe(false);
    answered.close();
  });

  it('the session id of another realm means nothing', async () => {
    const session = await field.begin('p22');
    await field.leave(session, 'p22');
    await field.emit([userRoom('p22')], { count: 3 });
    const { url = '' } = field.cluster.gateways[1] ?? {};
    await using answered = await RawSession.connect(url, 'other', { token: await field.cluster.token('p22'), pid: session.pid, offset: session.offset });
    await eventually(() => answered.reloadReason !== null, { what: 'the reload' });
    expect(answered.recovered).toBe(false);
    expect(answered.numbers).toEqual([]);
    const resumed = await field.resume(session, 'p22');
    expect(await field.numbersOf(resumed, 'p22')).toHaveLength(3);
  });

  it('every gateway is alive and ready after all of this', async () => {
    expect(field.cluster.gateways.every(({ process }) => process.isRunning())).toBe(true);
    for (const gateway of field.cluster.gateways) expect((await fetch(`${gateway.url}/readyz`)).status).toBe(200);
  });

  it('twice in a row, before the first answer was read: both times everything that was missed', async () => {
    const session = await field.begin('p6');
    await field.leave(session, 'p6');
    const missed = [await field.emit([userRoom('p6')]), await field.emit([meadow])];
    for (const gateway of [1, 0, 1, 1]) {
      const again = await field.resume(session, 'p6', { gateway });
      again.close();
    }
    const resumed = await field.resume(session, 'p6', { gateway: 0 });
    expect(await field.numbersOf(resumed, 'p6')).toEqual(missed);
    expect(resumed.recovered).toBe(true);
  });

  it('after the client ended its session on purpose: a new one', async () => {
    const session = await field.begin('p24');
    await session.hears(await field.emit([userRoom('p24')]));
    session.disconnect();
    await eventually(async () => (await field.redis.exists(field.keys.session(session.pid))) === 0, { what: 'the record to be gone' });
    await field.emit([userRoom('p24')], { count: 3 });
    await expectAnew(field, await field.resume(session, 'p24'), 'p24', session);
  });

  it('two clients with the same session id: one of them keeps it, and it hears everything once', async () => {
    const session = await field.begin('p8');
    await field.leave(session, 'p8');
    const missed = [await field.emit([userRoom('p8')]), await field.emit([meadow])];
    const both = await Promise.all([0, 1].map((gateway) => field.resume(session, 'p8', { gateway })));
    await eventually(() => both.filter(({ closed }) => !closed).length === 1, { timeoutMs: 10_000, what: 'the older one to be closed' });
    const [kept] = both.filter(({ closed }) => !closed);
    if (!kept) throw new Error('none is left');
    await eventually(() => kept.recovered !== null, { what: 'the welcome of the newer one' });
    expect(kept.recovered).toBe(true);
    expect(await field.numbersOf(kept, 'p8')).toEqual(missed);
    await eventually(async () => {
      expect(await field.redis.hkeys(field.keys.user('p8' as UserId))).toEqual([kept.sid]);
    });
  });

  it('twelve clients with the same session id at once: one of them keeps it', async () => {
    const session = await field.begin('p10');
    await field.leave(session, 'p10');
    const missed = await field.emit([userRoom('p10')], { count: 20 });
    const all = await Promise.all(Array.from({ length: 12 }, (_, n) => field.resume(session, 'p10', { gateway: n % 2 })));
    await eventually(() => all.filter(({ closed }) => !closed).length === 1, { timeoutMs: 15_000, what: 'all but one to be closed' });
    const [kept] = all.filter(({ closed }) => !closed);
    if (!kept) throw new Error('none is left');
    expect(await field.numbersOf(kept, 'p10')).toEqual(Array.from({ length: 20 }, (_, n) => missed + n));
  });

  it.each([0, 1])('while the old socket is still open at gateway 0 and half-open on the network, at gateway %i: the old one goes, nothing is lost', async (gateway) => {
    const { cluster } = field;
    const port = Number(new URL(cluster.gateways[0]?.url ?? '').port);
    const userId = `p${12 + gateway * 2}`;
    await using traveller = await Traveller.create(userId, port, { realm: cluster.realm, token: await cluster.token(userId) });
    await traveller.player.connect();
    const heard = await field.emit([userRoom(userId)]);
    await eventually(() => traveller.player.received.some(({ payload }) => (payload as { number?: number }).number === heard));
    traveller.proxy.strand();
    const missed = [await field.emit([userRoom(userId)]), await field.emit([meadow])];
    const { pid = '', offset = '' } = traveller;
    const resumed = await field.resume({ pid, offset } as RawSession, userId, { gateway });
    expect(await field.numbersOf(resumed, userId)).toEqual(missed);
    expect(resumed.recovered).toBe(true);
    await eventually(async () => {
      expect(await field.redis.hkeys(field.keys.user(userId as UserId))).toEqual([resumed.sid]);
    }, { timeoutMs: 10_000, what: 'the half-open socket to be gone' });
    traveller.player.socket.io.reconnection(false);
  });

  it('over long-polling', async () => {
    const { cluster } = field;
    const port = Number(new URL(cluster.gateways[0]?.url ?? '').port);
    await using traveller = await Traveller.create('p16', port, { realm: cluster.realm, token: await cluster.token('p16'), transports: ['polling'] });
    await traveller.player.connect();
    await eventually(() => traveller.player.received.length > 0);
    // Between two polls there is nothing to break: the next one opens a connection, and the session goes on.
    await eventually(() => {
      if (traveller.player.disconnects.length === 0) traveller.drop();
      return traveller.player.disconnects.length > 0;
    }, { what: 'a poll to be broken off' });
    const missed = await field.emit([userRoom('p16')], { count: 30 });
    await eventually(() => traveller.recovered.length === 2, { timeoutMs: 15_000, what: 'the second welcome' });
    const last = await field.emit([userRoom('p16')]);
    const numbers = (): number[] => traveller.player.received.filter(({ event }) => event === 'app:n').map(({ payload }) => (payload as { number: number }).number);
    await eventually(() => numbers().includes(last));
    expect(numbers()).toEqual(Array.from({ length: last - missed + 1 }, (_, n) => missed + n));
    expect(traveller.recovered).toEqual([false, true]);
  });

  it('while Redis stands still: it waits or comes again, and then nothing is missing', async () => {
    const { cluster } = field;
    const port = Number(new URL(cluster.gateways[1]?.url ?? '').port);
    await using traveller = await Traveller.create('p18', port, { realm: cluster.realm, token: await cluster.token('p18') });
    await traveller.player.connect();
    await eventually(() => traveller.player.received.length > 0);
    const heard = await field.emit([userRoom('p18')]);
    const numbers = (): number[] => traveller.player.received.filter(({ event }) => event === 'app:n').map(({ payload }) => (payload as { number: number }).number);
    await eventually(() => numbers().includes(heard));
    cluster.redis.pause();
    traveller.drop();
    await timePasses(3_000, 'Redis stands still while the client asks for its session');
    cluster.redis.resume();
    const missed = await field.emit([userRoom('p18')], { count: 5 });
    await eventually(() => numbers().length === 6, { timeoutMs: 20_000, what: 'the missed events' });
    expect(numbers()).toEqual([heard, ...Array.from({ length: 5 }, (_, n) => missed + n)]);
    expect(traveller.recovered.slice(1)).toEqual(traveller.recovered.slice(1).map(() => true));
  });

  it('after Redis lost everything: a new session that is told so', async () => {
    const session = await field.begin('p20');
    await field.leave(session, 'p20');
    await field.redis.flushall();
    await eventually(async () => { await field.emit([userRoom('p20')]); }, { timeoutMs: 20_000, what: 'emissions on the empty Redis' });
    const answered = await eventually(async () => {
      const asked = await field.resume(session, 'p20');
      if (asked.answer?.kind !== 'connected') throw new Error('not let in');
      return asked;
    }, { timeoutMs: 20_000, what: 'a gateway that lets anybody in' });
    await expectAnew(field, answered, 'p20', session);
  });
});
