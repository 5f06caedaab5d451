import { compareStreamIds } from '@skirmish/redis';

/** One numbered event as a member received it: each sender numbers its own events 1, 2, 3… */
export interface Delivery {
  sender: string;
  number: number;
  /** The position (realm-clock id) that came with the event; absent when the event carried none. */
  position?: string;
}

/** What went wrong, one sentence each; all lists are empty when delivery was complete, single and in order. */
export interface DeliveryReport {
  lost: string[];
  doubled: string[];
  swapped: string[];
}

const label = (delivery: Pick<Delivery, 'sender' | 'number'>): string => `${delivery.sender}#${delivery.number}`;

/**
 * Compares what one member received with what was sent. `sent` maps each sender to how many events it sent.
 * Swapped means: a sender's later number came before an earlier one, or a position did not grow.
 */
export function checkDelivery(sent: Readonly<Record<string, number>>, received: readonly Delivery[]): DeliveryReport {
  const report: DeliveryReport = { lost: [], doubled: [], swapped: [] };
  const seen = new Set<string>();
  const highest = new Map<string, number>();
  let lastPosition: string | undefined;
  for (const delivery of received) {
    if (seen.has(label(delivery))) {
      report.doubled.push(label(delivery));
      continue;
    }
    seen.add(label(delivery));
    const before = highest.get(delivery.sender) ?? 0;
    if (delivery.number < before) report.swapped.push(`${label(delivery)} after ${delivery.sender}#${before}`);
    highest.set(delivery.sender, Math.max(before, delivery.number));
    if (delivery.position === undefined) continue;
    if (lastPosition !== undefined && compareStreamIds(delivery.position, lastPosition) <= 0) {
      report.swapped.push(`${label(delivery)} at position ${delivery.position} after ${lastPosition}`);
    }
    lastPosition = delivery.position;
  }
  for (const [sender, count] of Object.entries(sent)) {
    for (let number = 1; number <= count; number += 1) {
      if (!seen.has(`${sender}#${number}`)) report.lost.push(`${sender}#${number}`);
    }
  }
  return report;
}

/** Names the first place at which a member's order differs from the first member's; empty when all saw one order. */
export function checkSameOrder(members: Readonly<Record<string, readonly Delivery[]>>): string[] {
  const [first, ...others] = Object.entries(members);
  if (first === undefined) return [];
  const [firstName, reference] = first;
  return others.flatMap(([name, deliveries]) => {
    const length = Math.max(reference.length, deliveries.length);
    for (let index = 0; index < length; index += 1) {
      const [expected, actual] = [reference[index], deliveries[index]];
      if (expected !== undefined && actual !== undefined && label(expected) === label(actual)) continue;
      return [`${name} has ${actual ? label(actual) : 'nothing'} at ${index} where ${firstName} has ${expected ? label(expected) : 'nothing'}`];
    }
    return [];
  });
}

/** One emission as its sender made it. */
export interface Emission {
  room: string;
  sender: string;
  number: number;
  /** Realm-clock id that the emitter resolved to. */
  id: string;
}

/** A client is a member of a room for what was emitted after `since` and before `until` (realm-clock ids; null: still). */
export interface Membership {
  room: string;
  since: string;
  until: string | null;
}

/** What a client saw, in its order. */
export type Step =
  | { kind: 'welcome'; position: string; recovered: boolean; rooms: readonly string[] }
  | { kind: 'reload'; reason: string }
  | { kind: 'event'; sender: string; number: number; position: string }
  /** Another event that moved the client's position. */
  | { kind: 'position'; position: string };

export interface JourneyReport extends DeliveryReport {
  /** Events that were never the client's: of a room or a time in which it was no member, or of nobody. */
  foreign: string[];
  /** Beginnings anew without `session:reload`, and resumes that did not go on where the client stood. */
  silent: string[];
  /** Explicit reloads; the only thing that may end a session. */
  reloads: number;
}

export const flawlessJourney: JourneyReport = { lost: [], doubled: [], swapped: [], foreign: [], silent: [], reloads: 0 };

interface Chapter {
  welcome: Extract<Step, { kind: 'welcome' }>;
  steps: Step[];
}

/**
 * Judges one client over all of its connections. A resumed session must have exactly the emissions of its memberships, once and in the
 * order of their ids. After a welcome that is no resume only its rooms and what the client entered after it count, and the client must have been told to reload.
 */
export function checkJourney(truth: readonly Emission[], memberships: readonly Membership[], steps: readonly Step[]): JourneyReport {
  const report: JourneyReport = structuredClone(flawlessJourney);
  const chapters = chaptersOf(steps, report);
  for (const [index, { welcome, steps: ownSteps }] of chapters.entries()) {
    const last = index === chapters.length - 1;
    if (index > 0) {
      const told = ownSteps.find((step) => step.kind !== 'position');
      if (told?.kind === 'reload') report.reloads += 1;
      // One that broke off before anything could follow the welcome had no time to tell.
      else if (told || last) report.silent.push(`a new session at ${welcome.position} without a reload`);
    }
    const own = index === 0 ? memberships : membershipsAnew(memberships, welcome);
    const isOwn = (emission: Emission): boolean => compareStreamIds(emission.id, welcome.position) > 0 && own.some((membership) => covers(membership, emission));
    const reached = follow(truth, isOwn, welcome.position, ownSteps, report);
    // A session that broke off has to be without holes up to where the client got.
    const due = truth.filter((emission) => isOwn(emission) && (last || compareStreamIds(emission.id, reached.position) <= 0));
    report.lost.push(...due.filter((emission) => !reached.seen.has(label(emission))).map(label));
  }
  return report;
}

const covers = ({ room, since, until }: Membership, { room: emittedTo, id }: Emission): boolean =>
  room === emittedTo && compareStreamIds(id, since) > 0 && (until === null || compareStreamIds(id, until) < 0);

const membershipsAnew = (memberships: readonly Membership[], { rooms, position }: Chapter['welcome']): Membership[] => [
  ...rooms.map((room) => ({ room, since: '0-0', until: null })),
  ...memberships.filter(({ since }) => compareStreamIds(since, position) > 0),
];

/** Splits at each welcome that is no resume; what precedes the first welcome belongs to nobody. */
function chaptersOf(steps: readonly Step[], report: JourneyReport): Chapter[] {
  const chapters: Chapter[] = [];
  for (const step of steps) {
    const chapter = chapters.at(-1);
    if (step.kind === 'welcome' && !step.recovered) chapters.push({ welcome: step, steps: [] });
    else if (chapter) chapter.steps.push(step);
    else report.silent.push(`${step.kind} before the first welcome`);
  }
  return chapters;
}

function follow(truth: readonly Emission[], isOwn: (emission: Emission) => boolean, from: string, steps: readonly Step[], report: JourneyReport) {
  const byLabel = new Map(truth.map((emission) => [label(emission), emission]));
  const seen = new Set<string>();
  let position = from;
  for (const step of steps) {
    if (step.kind === 'reload') continue;
    if (step.kind === 'welcome') {
      if (step.position !== position) report.silent.push(`resumed at ${step.position} after ${position}`);
      continue;
    }
    if (step.kind === 'event') judge(step, byLabel.get(label(step)), { isOwn, seen, position, report });
    else if (compareStreamIds(step.position, position) < 0) report.swapped.push(`position ${step.position} after ${position}`);
    if (compareStreamIds(step.position, position) > 0) position = step.position;
  }
  return { seen, position };
}

interface Judging {
  isOwn: (emission: Emission) => boolean;
  seen: Set<string>;
  position: string;
  report: JourneyReport;
}

function judge(step: Extract<Step, { kind: 'event' }>, emission: Emission | undefined, { isOwn, seen, position, report }: Judging): void {
  const name = label(step);
  if (seen.has(name)) {
    report.doubled.push(name);
    return;
  }
  seen.add(name);
  if (emission === undefined || !isOwn(emission)) report.foreign.push(name);
  else if (emission.id !== step.position) report.swapped.push(`${name} at position ${step.position}, emitted at ${emission.id}`);
  if (compareStreamIds(step.position, position) <= 0) report.swapped.push(`${name} at position ${step.position} after ${position}`);
}
