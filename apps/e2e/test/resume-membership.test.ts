import { roomOf, type CombatId, type GuildId, type PartyId, type UserId, type ZoneId } from '@skirmish/protocol';
import { signToken } from '@skirmish/auth';
import { PlayerChanges } from '@skirmish/emitter';
import { eventually, startTcpProxy, timePasses } from '@skirmish/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { secret } from './_cluster.ts';
import { openResumeField, userRoom, type ResumeField } from './_resume-field.ts';

const meadow = roomOf.zone('meadow' as ZoneId);
const forest = roomOf.zone('forest' as ZoneId);
const red = roomOf.guild('red' as GuildId);
const blue = roomOf.guild('blue' as GuildId);
const fight = (name: string) => roomOf.combat(name as CombatId);
const watch = (name: string) => roomOf.combatWatch(name as CombatId);
const party = (name: string) => roomOf.party(name as PartyId);

describe('what happened to a membership while its client was away', () => {
  let field: ResumeField;
  beforeAll(async () => { field = await openResumeField(); });
  afterAll(() => field[Symbol.asyncDispose]());

  const joined = async (userId: string, ...rooms: Parameters<typeof field.emitter.join>[1]) => field.emitter.join({ rooms: [userRoom(userId)] }, rooms);
  const left = async (userId: string, ...rooms: Parameters<typeof field.emitter.leave>[1]) => field.emitter.leave({ rooms: [userRoom(userId)] }, rooms);

  it('replays what was missed in user, zone, guild, party and fight rooms, once and in the order of emission, and nothing of foreign rooms', async () => {
    const session = await field.begin('p1');
    await joined('p1', fight('own'), party('own'));
    await field.leave(session, 'p1');
    const expected: number[] = [];
    for (let round = 0; round < 3; round += 1) {
      for (const room of [userRoom('p1'), meadow, red, fight('own'), party('own')]) expected.push(await field.emit([room]));
      for (const room of [userRoom('p2'), forest, blue, fight('other'), party('other')]) await field.emit([room]);
      expected.push(await field.emit([meadow, red, userRoom('p1')]));
    }
    const resumed = await field.resume(session, 'p1');
    expect(await field.numbersOf(resumed, 'p1')).toEqual(expected);
    expect(resumed.pid).toBe(session.pid);
    expect(resumed.sid).not.toBe(session.sid);
    expect(resumed.recovered).toBe(true);
    expect(resumed.events[0]).toMatchObject({ event: 'session:welcome', position: session.offset });
    expect(new Set(resumed.events[0]?.payload['rooms'] as string[])).toEqual(new Set([roomOf.realm, userRoom('p1'), meadow, red, fight('own'), party('own')]));
  });

  it('a room that it left: what was emitted before the leave and nothing after it', async () => {
    const session = await field.begin('p3');
    await joined('p3', fight('left'), watch('left'));
    await field.leave(session, 'p3');
    const before = [await field.emit([fight('left')]), await field.emit([watch('left')])];
    await left('p3', fight('left'));
    const stillThere = await field.emit([watch('left')]);
    await field.emit([fight('left')], { count: 5 });
    await left('p3', watch('left'));
    await field.emit([fight('left'), watch('left')], { count: 5 });
    const resumed = await field.resume(session, 'p3');
    const missed = await field.numbersOf(resumed, 'p3');
    expect(missed).toEqual([...before, stillThere]);
    await field.emit([fight('left'), watch('left')]);
    expect(await field.numbersOf(resumed, 'p3'), 'nothing live either').toEqual(missed);
  });

  it('a room that it joined: nothing from before the join, everything after it, also live', async () => {
    const session = await field.begin('p5');
    await field.leave(session, 'p5');
    await field.emit([fight('joined')], { count: 5 });
    await joined('p5', fight('joined'));
    const after = [await field.emit([fight('joined')]), await field.emit([fight('joined')])];
    const resumed = await field.resume(session, 'p5');
    expect(await field.numbersOf(resumed, 'p5')).toEqual(after);
    const live = await field.emit([fight('joined')]);
    expect(await field.numbersOf(resumed, 'p5')).toEqual([...after, live]);
  });

  it('a room that it left and joined again, twice: exactly the two spans', async () => {
    const session = await field.begin('p7');
    await joined('p7', fight('again'));
    await field.leave(session, 'p7');
    const own: number[] = [];
    for (let round = 0; round < 2; round += 1) {
      own.push(await field.emit([fight('again')]));
      await left('p7', fight('again'));
      await field.emit([fight('again')], { count: 3 });
      await joined('p7', fight('again'));
      own.push(await field.emit([fight('again')]));
    }
    const resumed = await field.resume(session, 'p7');
    expect(await field.numbersOf(resumed, 'p7')).toEqual(own);
  });

  it('a member that was moved by other rooms of it, and left out by an exception', async () => {
    const session = await field.begin('p9');
    await field.leave(session, 'p9');
    await field.emitter.join({ rooms: [meadow] }, [fight('all-of-the-zone')]);
    const own = [await field.emit([fight('all-of-the-zone')])];
    await field.emitter.leave({ rooms: [red], except: [userRoom('p9')] }, [fight('all-of-the-zone')]);
    own.push(await field.emit([fight('all-of-the-zone')]));
    await field.emitter.leave({ rooms: [red] }, [fight('all-of-the-zone')]);
    await field.emit([fight('all-of-the-zone')], { count: 3 });
    const resumed = await field.resume(session, 'p9');
    expect(await field.numbersOf(resumed, 'p9')).toEqual(own);
  });

  it('a room that it joined while its resume had to wait for Postgres: every event after the join', async () => {
    const { cluster } = field;
    await using proxy = await startTcpProxy({ targetPort: Number(new URL(cluster.databaseUrl).port) });
    const url = new URL(cluster.databaseUrl);
    url.port = String(proxy.port);
    const slow = cluster.gateways.indexOf(await cluster.addGateway({ DATABASE_URL: url.href }));
    (await field.begin('p25', slow)).close();
    const session = await field.begin('p25');
    await field.leave(session, 'p25');
    const isRegistered = async (): Promise<boolean> => (await field.redis.exists(field.keys.user('p25' as UserId))) === 1;
    await eventually(async () => !(await isRegistered()));
    proxy.pause();
    const asked = field.resume(session, 'p25', { gateway: slow });
    // Registered: what is emitted now comes through the inbox of that gateway.
    await eventually(isRegistered);
    await joined('p25', fight('slow'));
    await timePasses(2_200, 'longer than the entry of an empty room stays in the directory');
    const after = await field.emit([fight('slow')], { count: 5 });
    proxy.heal();
    const resumed = await asked;
    expect(await field.numbersOf(resumed, 'p25')).toEqual(Array.from({ length: 5 }, (_, n) => after + n));
    expect(resumed.recovered).toBe(true);
    await cluster.gateways[slow]?.process.stop();
  });

  it('emissions that excepted it, by one of its rooms or by the id of its socket', async () => {
    const session = await field.begin('p11');
    await field.leave(session, 'p11');
    const own = [await field.emit([meadow], { except: [blue] })];
    await field.emit([meadow], { except: [userRoom('p11')] });
    await field.emit([meadow], { except: [red] });
    await field.emit([meadow], { except: [session.sid] });
    own.push(await field.emit([meadow], { except: ['AnotherSocketsId0001'] }));
    const resumed = await field.resume(session, 'p11');
    expect(await field.numbersOf(resumed, 'p11')).toEqual(own);
    // After a second absence the first socket id still means this client.
    await field.leave(resumed, 'p11');
    await field.emit([meadow], { except: [session.sid] });
    await field.emit([meadow], { except: [resumed.sid] });
    const later = await field.emit([meadow]);
    expect(await field.numbersOf(await field.resume(resumed, 'p11', { gateway: 0 }), 'p11')).toEqual([later]);
  });

  it('a party that it left meanwhile: what was said before the leave, nothing after it', async () => {
    const session = await field.begin('p13');
    await joined('p13', party('gone'));
    await field.leave(session, 'p13');
    const before = await field.emit([party('gone')]);
    await left('p13', party('gone'));
    await field.emit([party('gone')], { count: 3 });
    const own = await field.emit([meadow]);
    const resumed = await field.resume(session, 'p13');
    expect(await field.numbersOf(resumed, 'p13')).toEqual([before, own]);
    expect(resumed.events[0]?.payload['rooms']).not.toContain(party('gone'));
    await field.emit([party('gone')]);
    expect(await field.numbersOf(resumed, 'p13'), 'nothing live either').toEqual([before, own]);
  });

  it('a guild that it left meanwhile: not one packet of the guild, not missed and not live', async () => {
    const session = await field.begin('p15');
    await field.leave(session, 'p15');
    await field.emit([red], { count: 3 });
    await field.database.db.deleteFrom('guild_members').where('user_id', '=', 'p15').execute();
    await new PlayerChanges(field.redis, field.cluster.realm).mark(['p15' as UserId], { binding: true });
    await field.emit([red], { count: 3 });
    const own = await field.emit([meadow]);
    const resumed = await field.resume(session, 'p15');
    expect(await field.numbersOf(resumed, 'p15')).toEqual([own]);
    expect(resumed.events[0]?.payload['rooms']).not.toContain(red);
    await field.emit([red]);
    expect(await field.numbersOf(resumed, 'p15')).toEqual([own]);
  });

  it('a banned user hears of the ban and of nothing else', async () => {
    const session = await field.begin('p17');
    await field.leave(session, 'p17');
    await field.emit([userRoom('p17'), meadow], { count: 5 });
    await field.database.db.insertInto('sanctions').values({ user_id: 'p17', kind: 'ban', reason: 'test', created_by: 'mod1' }).execute();
    await new PlayerChanges(field.redis, field.cluster.realm).mark(['p17' as UserId], { binding: true });
    const refused = await field.resume(session, 'p17');
    expect(refused.answer).toMatchObject({ kind: 'refused', data: { code: 'auth/banned' } });
    await eventually(() => refused.packets.length === 1);
    expect(refused.packets).toHaveLength(1);
  });

  it('an expired, a wrong and a missing token: nothing leaves the server, and the right one still resumes', async () => {
    const session = await field.begin('p19');
    await field.leave(session, 'p19');
    const missed = await field.emit([userRoom('p19'), meadow]);
    const expired = (await signToken({ secret, userId: 'p19', ttlSeconds: 60, nowMs: Date.now() - 3_600_000 })).token;
    const forged = (await signToken({ secret: `another ${secret}`, userId: 'p19', ttlSeconds: 60 })).token;
    for (const [token, code] of [[expired, 'auth/expired'], [forged, 'auth/invalid'], ['', 'auth/missing']]) {
      const refused = await field.resume(session, 'p19', { auth: { token } });
      expect(refused.answer).toMatchObject({ kind: 'refused', data: { code } });
      expect(refused.packets).toHaveLength(1);
    }
    const resumed = await field.resume(session, 'p19');
    expect(await field.numbersOf(resumed, 'p19')).toEqual([missed]);
    expect(resumed.recovered).toBe(true);
  });

  it('the token of another user with a stolen session id: a session of its own, nothing of the other\'s, who still resumes', async () => {
    const session = await field.begin('p21');
    await joined('p21', fight('secret'));
    await field.leave(session, 'p21');
    const missed = await field.emit([userRoom('p21'), fight('secret')]);
    const thief = await field.resume(session, 'p21', { auth: { token: await field.cluster.token('p22') } });
    expect(await field.numbersOf(thief, 'p22')).toEqual([]);
    expect(thief.pid).not.toBe(session.pid);
    expect(thief.recovered).toBe(false);
    expect(thief.reloadReason).toBe('not-recoverable');
    await field.emit([fight('secret')]);
    expect(await field.numbersOf(thief, 'p22')).toEqual([]);
    const resumed = await field.resume(session, 'p21');
    expect((await field.numbersOf(resumed, 'p21'))[0]).toBe(missed);
    expect(resumed.recovered).toBe(true);
  });
});
