import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkDelivery, checkSameOrder, type Delivery } from './_delivery-checker.ts';

/** `perSender` events of each of two senders, taken turns with, under growing positions. */
function flawless(perSender: number): Delivery[] {
  return Array.from({ length: perSender * 2 }, (_, index) => ({
    sender: index % 2 === 0 ? 'a' : 'b',
    number: Math.floor(index / 2) + 1,
    position: `1000-${index + 1}`,
  }));
}

const sent = (perSender: number) => ({ a: perSender, b: perSender });
/** A run of events and the index of one of them. */
const planted = fc.integer({ min: 2, max: 40 }).chain((perSender) => fc.tuple(fc.constant(perSender), fc.nat(perSender * 2 - 1)));

describe('the delivery checker', () => {
  it('finds nothing in a flawless run', () => {
    fc.assert(fc.property(fc.integer({ min: 0, max: 60 }), (n) => {
      expect(checkDelivery(sent(n), flawless(n))).toEqual({ lost: [], doubled: [], swapped: [] });
    }));
  });

  it('names each lost event', () => {
    fc.assert(fc.property(planted, ([n, index]) => {
      const received = flawless(n);
      const [gone] = received.splice(index, 1);
      expect(checkDelivery(sent(n), received)).toEqual({ lost: [`${gone?.sender}#${gone?.number}`], doubled: [], swapped: [] });
    }));
  });

  it('names each doubled event, wherever the second copy stands', () => {
    fc.assert(fc.property(planted, fc.nat(), ([n, index], place) => {
      const received = flawless(n);
      const copy = received[index]!;
      received.splice(index + 1 + (place % (received.length - index)), 0, copy);
      expect(checkDelivery(sent(n), received)).toEqual({ lost: [], doubled: [`${copy.sender}#${copy.number}`], swapped: [] });
    }));
  });

  it('sees two events of one sender change places, also without positions', () => {
    fc.assert(fc.property(fc.integer({ min: 2, max: 40 }), fc.nat(), (n, place) => {
      const received = flawless(n).map(({ sender, number }) => ({ sender, number }));
      const index = place % (received.length - 2);
      [received[index], received[index + 2]] = [received[index + 2]!, received[index]!];
      const report = checkDelivery(sent(n), received);
      expect(report.lost).toEqual([]);
      expect(report.swapped).toHaveLength(1);
    }));
  });

  it('sees a position that stands still or goes back, comparing as numbers and not as text', () => {
    const ascending = [{ sender: 'a', number: 1, position: '999-9' }, { sender: 'a', number: 2, position: '1000-10' }];
    expect(checkDelivery({ a: 2 }, ascending).swapped).toEqual([]);
    expect(checkDelivery({ a: 2 }, [ascending[0]!, { ...ascending[1]!, position: '999-9' }]).swapped).toHaveLength(1);
    expect(checkDelivery({ a: 2 }, [ascending[0]!, { ...ascending[1]!, position: '998-99' }]).swapped).toHaveLength(1);
  });

  it('compares the order that members saw', () => {
    const one = flawless(5);
    const other = flawless(5);
    expect(checkSameOrder({ one, other })).toEqual([]);
    [other[2], other[3]] = [other[3]!, other[2]!];
    expect(checkSameOrder({ one, other })).toEqual(['other has b#2 at 2 where one has a#2']);
    expect(checkSameOrder({ one, short: one.slice(0, 9) })).toEqual(['short has nothing at 9 where one has b#5']);
  });
});
