import { roomOf, type CombatId, type ZoneId } from '@skirmish/protocol';
import { eventually, timePasses } from '@skirmish/testing';
import { describe, expect, it } from 'vitest';
import { openResumeField, userRoom } from './_resume-field.ts';

const meadow = roomOf.zone('meadow' as ZoneId);
const windowMs = 4_000;

describe('the window of time', () => {
  it('a client that comes after it begins anew and is told; one that was quiet for longer than it and then dropped is recovered', async () => {
    await using field = await openResumeField({ env: { RESUME_WINDOW_MS: String(windowMs) } });
    const late = await field.begin('p1');
    await field.leave(late, 'p1');
    await field.emit([userRoom('p1')], { count: 3 });
    const quiet = await field.begin('p2');
    // Logs and positions are kept a little longer than the window.
    await timePasses(3 * windowMs + 1_000, 'more than the window passes: one client is away, the other hears nothing');
    expect(quiet.closed).toBe(false);
    const answered = await field.resume(late, 'p1');
    expect(await field.numbersOf(answered, 'p1')).toEqual([]);
    expect(answered.recovered).toBe(false);
    expect(answered.reloadReason).toMatch(/^(window-passed|not-recoverable)$/);
    quiet.close();
    await eventually(async () => !(await field.redis.exists(field.keys.user('p2' as never))), { what: 'the end of the quiet one' });
    const missed = [await field.emit([userRoom('p2')]), await field.emit([meadow])];
    const resumed = await field.resume(quiet, 'p2');
    expect(await field.numbersOf(resumed, 'p2')).toEqual(missed);
    expect(resumed.recovered).toBe(true);
    await eventually(async () => (await field.redis.exists(field.keys.session(late.pid))) === 0, { timeoutMs: 15_000, what: 'the record of the late one to be gone' });
  }, 60_000);
});

describe('the size of what was missed', () => {
  it.each([
    { name: 'events', env: { RESUME_ENTRIES_MAX: '100' }, fits: 90, toomany: 140 },
    { name: 'bytes', env: { RESUME_BYTES_MAX: '65536' }, fits: 90, toomany: 2_000 },
  ])('up to the bound of $name everything is replayed, beyond it the client begins anew and is told', async ({ env, fits, toomany }) => {
    await using field = await openResumeField({ env });
    const session = await field.begin('p1');
    await field.leave(session, 'p1');
    const first = await field.emit([userRoom('p1')], { count: fits });
    const resumed = await field.resume(session, 'p1');
    expect(await field.numbersOf(resumed, 'p1')).toEqual(Array.from({ length: fits }, (_, n) => first + n));
    await field.leave(resumed, 'p1');
    await field.emit([userRoom('p1')], { count: toomany });
    const answered = await field.resume(resumed, 'p1');
    expect(await field.numbersOf(answered, 'p1')).toEqual([]);
    expect(answered.recovered).toBe(false);
    expect(answered.reloadReason).toBe('too-much-missed');
  }, 60_000);

  it('after a reload the session has the rooms that its welcome names, and no others, also when it is resumed later', async () => {
    await using field = await openResumeField({ env: { RESUME_ENTRIES_MAX: '20' } });
    const fight = roomOf.combat('before-the-reload' as CombatId);
    const session = await field.begin('p1');
    await field.emitter.join({ rooms: [userRoom('p1')] }, [fight]);
    await field.leave(session, 'p1');
    await field.emit([userRoom('p1')], { count: 40 });
    const anew = await field.resume(session, 'p1');
    expect(await field.numbersOf(anew, 'p1')).toEqual([]);
    const hasFight = (anew.events[0]?.payload['rooms'] as string[]).includes(fight);
    const live = await field.emit([fight]);
    expect(await field.numbersOf(anew, 'p1')).toEqual(hasFight ? [live] : []);
    await field.leave(anew, 'p1');
    const missed = await field.emit([fight]);
    const resumed = await field.resume(anew, 'p1', { gateway: 0 });
    expect(await field.numbersOf(resumed, 'p1')).toEqual(hasFight ? [missed] : []);
    expect(resumed.recovered).toBe(true);
    expect((resumed.events[0]?.payload['rooms'] as string[]).includes(fight)).toBe(hasFight);
  }, 60_000);

  it('many pages: 1,800 events of three rooms come back complete and in order', async () => {
    await using field = await openResumeField();
    const session = await field.begin('p1');
    await field.leave(session, 'p1');
    const first = await field.emit([userRoom('p1'), meadow], { count: 700 });
    await field.emit([userRoom('p1')], { count: 500 });
    await field.emit([meadow], { count: 600 });
    const resumed = await field.resume(session, 'p1');
    expect(await field.numbersOf(resumed, 'p1')).toEqual(Array.from({ length: 1_800 }, (_, n) => first + n));
    expect(resumed.recovered).toBe(true);
  }, 60_000);
});
