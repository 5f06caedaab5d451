import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkJourney, flawlessJourney, type Emission, type Membership, type Step } from './_delivery-checker.ts';

const mine = ['user:p1', 'zone:meadow', 'party:one'];
const rooms = [...mine, 'user:p2', 'party:other'];
const memberships: Membership[] = mine.map((room) => ({ room, since: '0-0', until: null }));
const welcomeAt = (position: string, recovered: boolean): Step => ({ kind: 'welcome', position, recovered, rooms: mine.slice(0, 2) });
const isEvent = (step: Step): step is Extract<Step, { kind: 'event' }> => step.kind === 'event';

/** Emissions to own and foreign rooms, taken turns with. */
const emissionsOf = (count: number): Emission[] =>
  Array.from({ length: count }, (_, n) => ({ room: rooms[n % rooms.length]!, sender: rooms[n % rooms.length]!, number: Math.floor(n / rooms.length) + 1, id: `1000-${n + 1}` }));

const stepsOf = (emissions: readonly Emission[], own: readonly string[] = mine): Step[] =>
  emissions.filter(({ room }) => own.includes(room)).map(({ sender, number, id }) => ({ kind: 'event', sender, number, position: id }));

/** A flawless journey with a resume after each of these events (by index among its own). */
function journeyOf(truth: readonly Emission[], resumesAfter: readonly number[]): Step[] {
  const events = stepsOf(truth).filter(isEvent);
  return [
    welcomeAt('1000-0', false),
    ...events.flatMap((event, index): Step[] => (resumesAfter.includes(index) ? [event, welcomeAt(event.position, true)] : [event])),
  ];
}

const journey = fc.integer({ min: 15, max: 60 }).chain((count) => fc.record({
  truth: fc.constant(emissionsOf(count)),
  resumes: fc.array(fc.nat(Math.floor(count / 2)), { maxLength: 4 }),
  place: fc.nat(),
}));

/** Index among the steps of the n-th event, round and round. */
function eventIndex(steps: readonly Step[], n: number): number {
  const indexes = steps.flatMap((step, index) => (isEvent(step) ? [index] : []));
  return indexes[n % indexes.length]!;
}

describe('the checker of journeys', () => {
  it('finds nothing in a flawless journey, however often it was resumed', () => {
    fc.assert(fc.property(journey, ({ truth, resumes }) => {
      expect(checkJourney(truth, memberships, journeyOf(truth, resumes))).toEqual(flawlessJourney);
    }));
  });

  it('catches one planted loss', () => {
    fc.assert(fc.property(journey, ({ truth, place }) => {
      const steps = journeyOf(truth, []);
      const [gone] = steps.splice(eventIndex(steps, place), 1).filter(isEvent);
      expect(checkJourney(truth, memberships, steps)).toEqual({ ...flawlessJourney, lost: [`${gone?.sender}#${gone?.number}`] });
    }));
  });

  it('catches a loss at a resume, where the welcome stands between', () => {
    fc.assert(fc.property(journey, fc.nat(6), ({ truth }, at) => {
      const steps = journeyOf(truth, [at]);
      steps.splice(steps.findIndex((step) => step.kind === 'welcome' && step.recovered) + 1, 1);
      expect(checkJourney(truth, memberships, steps).lost).toHaveLength(1);
    }));
  });

  it('catches one planted double, wherever the copy stands', () => {
    fc.assert(fc.property(journey, fc.nat(), ({ truth, resumes, place }, where) => {
      const steps = journeyOf(truth, resumes);
      const index = eventIndex(steps, place);
      const copy = steps[index] as Extract<Step, { kind: 'event' }>;
      steps.splice(index + 1 + (where % (steps.length - index)), 0, copy);
      expect(checkJourney(truth, memberships, steps)).toEqual({ ...flawlessJourney, doubled: [`${copy.sender}#${copy.number}`] });
    }));
  });

  it('catches two events that changed places', () => {
    fc.assert(fc.property(journey, ({ truth, place }) => {
      const steps = journeyOf(truth, []);
      const index = 1 + (place % (steps.length - 2));
      [steps[index], steps[index + 1]] = [steps[index + 1]!, steps[index]!];
      const report = checkJourney(truth, memberships, steps);
      expect(report.swapped).toHaveLength(1);
      expect({ ...report, swapped: [] }).toEqual(flawlessJourney);
    }));
  });

  it('catches an event under the position of another one', () => {
    const truth = emissionsOf(20);
    const steps = journeyOf(truth, []);
    steps[3] = { ...(steps[3] as Extract<Step, { kind: 'event' }>), position: '1000-4' };
    expect(checkJourney(truth, memberships, steps).swapped).not.toEqual([]);
  });

  it('catches events of rooms that are not the client\'s, and of nobody', () => {
    fc.assert(fc.property(journey, fc.constantFrom('user:p2', 'party:other'), ({ truth, resumes }, room) => {
      const [foreign] = stepsOf(truth, [room]).filter(isEvent);
      const steps = journeyOf(truth, resumes);
      const before = steps.findIndex((step) => isEvent(step) && Number(step.position.slice(5)) > Number(foreign?.position.slice(5)));
      steps.splice(before, 0, foreign!);
      const after = steps[before + 1];
      if (after?.kind === 'welcome') return;
      expect(checkJourney(truth, memberships, steps).foreign).toEqual([`${foreign?.sender}#${foreign?.number}`]);
    }));
    const invented: Step = { kind: 'event', sender: 'nobody', number: 1, position: '1000-999' };
    expect(checkJourney([], memberships, [welcomeAt('1000-0', false), invented]).foreign).toEqual(['nobody#1']);
  });

  it('catches an event from outside of a membership, on both sides of it, and misses none inside', () => {
    fc.assert(fc.property(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 22, max: 40 }), fc.integer({ min: 1, max: 40 }), (join, leave, at) => {
      const truth: Emission[] = Array.from({ length: 41 }, (_, n) => ({ room: 'party:one', sender: 'a', number: n + 1, id: `1000-${n + 1}` }));
      const bounded: Membership[] = [{ room: 'party:one', since: `1000-${join}`, until: `1000-${leave}` }];
      const own = truth.slice(join, leave - 1);
      expect(checkJourney(truth, bounded, [welcomeAt('1000-0', false), ...stepsOf(own)])).toEqual(flawlessJourney);
      const inside = at > join && at < leave;
      const wrong = inside ? own.filter(({ number }) => number !== at) : truth.filter((emission) => own.includes(emission) || emission.number === at);
      const report = checkJourney(truth, bounded, [welcomeAt('1000-0', false), ...stepsOf(wrong)]);
      expect(inside ? report.lost : report.foreign).toEqual([`a#${at}`]);
    }));
  });

  it('catches a silent reload, and accepts one that was told, from its position on', () => {
    const truth = emissionsOf(40);
    const events = stepsOf(truth, mine.slice(0, 2)).filter(isEvent);
    const [before, after] = [events.slice(0, 5), events.slice(8)];
    const anew = welcomeAt(events[7]!.position, false);
    const own = memberships.slice(0, 2);
    const told: Step[] = [welcomeAt('1000-0', false), ...before, anew, { kind: 'reload', reason: 'window' }, ...after];
    expect(checkJourney(truth, own, told)).toEqual({ ...flawlessJourney, reloads: 1 });
    const untold = told.filter(({ kind }) => kind !== 'reload');
    expect(checkJourney(truth, own, untold).silent).toHaveLength(1);
    expect(checkJourney(truth, own, told.filter((step) => step !== before[2])).lost, 'a hole before the reload').toHaveLength(1);
    expect(checkJourney(truth, own, told.filter((step) => step !== after[2])).lost, 'a hole after the reload').toHaveLength(1);
    const early = [...told.slice(0, 6), events[6]!, ...told.slice(6)];
    expect(checkJourney(truth, own, [...early.slice(0, 9), events[6]!, ...early.slice(9)]).foreign, 'of before the new session').toHaveLength(1);
  });

  it('catches a resume that goes on elsewhere than where the client stood', () => {
    const truth = emissionsOf(40);
    const steps = journeyOf(truth, [4]);
    const at = steps.findIndex((step) => step.kind === 'welcome' && step.recovered);
    steps[at] = welcomeAt('1000-39', true);
    expect(checkJourney(truth, memberships, steps).silent).toHaveLength(1);
  });

  it('takes what moves the position of a quiet client into account', () => {
    const truth = emissionsOf(10);
    const [event] = stepsOf(truth.slice(0, 1)).filter(isEvent);
    const quiet: Step[] = [welcomeAt('1000-0', false), event!, { kind: 'position', position: '1000-900' }, welcomeAt('1000-900', true)];
    expect(checkJourney(truth.slice(0, 1), memberships, quiet)).toEqual(flawlessJourney);
    expect(checkJourney(truth.slice(0, 1), memberships, [...quiet, { kind: 'position', position: '1000-800' }]).swapped).toHaveLength(1);
  });
});
