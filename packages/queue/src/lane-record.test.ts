import { describe, expect, it } from 'vitest';

import { UnreadableRecord, openRecord, readRecord, recordVersion } from './lane-record.ts';

const body = { combatId: 'c1', turn: 3 };
const fields = { v: recordVersion, kind: 'combat.timeout', key: 'c1', body, position: 12, pushedAtMs: 34 };
const read = (more: object) => readRecord('combat', JSON.stringify({ ...fields, ...more }), 1);

describe('a lane record', () => {
  it('is read as it was written, with what the script appends', () => {
    const raw = `${openRecord({ kind: 'combat.timeout', key: 'c1', body, userId: 'u', commandId: 'i' })},"position":12,"pushedAtMs":34}`;
    expect(readRecord('combat', raw, 2)).toEqual({
      queue: 'combat',
      kind: 'combat.timeout',
      key: 'c1',
      body,
      position: 12,
      pushedAtMs: 34,
      tries: 2,
      userId: 'u',
      commandId: 'i',
    });
  });

  it('of the version before and after is read, with fields that only that version knows', () => {
    for (const v of [recordVersion - 1, recordVersion + 1]) {
      expect(read({ v, trace: 'x', body: { ...body, weather: 'rain' } }).body).toEqual({ ...body, weather: 'rain' });
    }
  });

  it.each([
    ['a version two ahead', { v: recordVersion + 2 }],
    ['a kind of another queue', { kind: 'chat.moderate' }],
    ['a kind named like a method of objects', { kind: 'toString' }],
    ['a body of another kind', { body: { combatId: 'c1' } }],
    ['a position that is no integer', { position: 1.5 }],
  ])('is refused with %s', (_, more) => {
    expect(() => read(more)).toThrow(UnreadableRecord);
  });

  it('is refused when it is no JSON object, and the error does not repeat it', () => {
    for (const raw of ['', 'secret', '[]', 'null', '"x"']) {
      expect(() => readRecord('combat', raw, 1)).toThrow(UnreadableRecord);
      expect(() => readRecord('combat', raw, 1)).not.toThrow(/secret/);
    }
  });
});
