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

const label = (delivery: Delivery): string => `${delivery.sender}#${delivery.number}`;

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
