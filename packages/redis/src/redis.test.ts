import type { RealmId, RoomName, UserId, ZoneId } from '@skirmish/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { reconnectDelayMs } from './create-redis.ts';
import { InboxReader, judgeEntry } from './inbox-reader.ts';
import type { InboxEntry, InboxReaderOptions } from './inbox-reader.ts';
import { keysOf } from './keys.ts';
import { compareStreamIds, isStreamId, msOfStreamId } from './stream-id.ts';

describe('stream ids', () => {
  it('compare by milliseconds, then by sequence, as numbers', () => {
    const part = fc.nat(2 ** 50);
    fc.assert(
      fc.property(part, part, part, part, (a, b, c, d) => {
        expect(Math.sign(compareStreamIds(`${a}-${b}`, `${c}-${d}`))).toBe(Math.sign(a - c || b - d));
      }),
    );
    expect(msOfStreamId('17-3')).toBe(17);
  });

  it('are recognised, and nothing else is', () => {
    expect(['0-0', '1700000000000-12'].every(isStreamId)).toBe(true);
    expect(['', '1', '1-', '-1', '1-2-3', 'a-1', '1-2 ', '99999999999999999-1', '9999999999999999-1'].some(isStreamId)).toBe(false);
  });
});

describe('key names', () => {
  it('all begin with the hash tag of the realm and differ for different users', () => {
    const keys = keysOf('main' as RealmId);
    const names = [
      keys.clock, keys.epoch, keys.gateways, keys.incomplete, keys.condemned, keys.gapped, keys.revisions, keys.backendEvents, keys.adapterChannels,
      keys.webhooksDead, keys.webhooksDisabled,
      keys.queuePrefix, keys.room('zone:a' as RoomName), keys.roomsOf('i' as never), keys.socketsOf('i' as never), keys.inbox('i' as never),
      keys.log('zone:a' as RoomName), keys.roster('a' as ZoneId), keys.user('u' as UserId), keys.session('p'), keys.revoked('u' as UserId), keys.limit('l'),
      keys.limitOf('u' as UserId, 'l'), keys.mutes('u' as UserId),
      keys.volatile('zone:a' as RoomName), keys.command('u' as UserId, 'chat:send', '1'), keys.emitted('k'), keys.laneEmitted('l'), keys.lane('q', 'k'),
      keys.laneState('q', 'k'), keys.lanes('q'), keys.laneDead('q'),
    ];
    expect(names.every((name) => name.startsWith('{main}:'))).toBe(true);
    expect(new Set(names).size).toBe(names.length);
    expect(keys.user('a:b' as UserId)).not.toBe(keys.user('a' as UserId));
  });
});

describe('the delay before a reconnect', () => {
  it('doubles to a second and never leaves its jitter', () => {
    expect([1, 2, 3, 20].map((times) => reconnectDelayMs(times, () => 0.5))).toEqual([50, 100, 200, 1000]);
    expect(reconnectDelayMs(20, () => 1)).toBeLessThanOrEqual(1150);
    expect(reconnectDelayMs(20, () => 0)).toBeGreaterThanOrEqual(850);
  });
});

describe('judging entries', () => {
  it('uses broadcasts, joins, leaves and disconnects with an object, skips marks, refuses the rest', () => {
    const entry = (fields: Record<string, string>): string[] => Object.entries(fields).flat();
    const good = { v: '1', uid: 'e', nsp: '/realm/main', type: '3', data: '{}' };
    expect(judgeEntry(entry(good))).toBe('usable');
    expect(judgeEntry(entry({ ...good, v: '2' }))).toBe('usable');
    expect(judgeEntry(['type', '0'])).toBe('skip');
    for (const bad of [{ ...good, v: '3' }, { ...good, type: '9' }, { ...good, data: '[]' }, { ...good, data: 'e30=' }, { ...good, nsp: '' }]) {
      expect(judgeEntry(entry(bad))).toBe('invalid');
    }
    expect(judgeEntry([])).toBe('invalid');
  });
});

describe('the inbox reader', () => {
  const usable = (id: string): InboxEntry => [id, ['nsp', '/n', 'type', '3', 'data', '{}']];
  const readerOf = (options: Partial<InboxReaderOptions> = {}) => {
    const seen = { gaps: 0, invalid: [] as string[] };
    const reader = new InboxReader({
      blockMs: 100, coalesceMs: 0, entriesMax: 10, gapAfterMs: 60_000,
      onGap: () => { seen.gaps += 1; },
      onInvalid: (id) => { seen.invalid.push(id); },
      ...options,
    });
    return { reader, seen };
  };

  it('reads its own key from its own position, and counts what nobody can use', async () => {
    const { reader, seen } = readerOf();
    reader.point('inbox', '5-0');
    const asked: string[] = [];
    const reply = await reader.round((_block, _count, key, position) => {
      asked.push(`${key} ${position}`);
      return Promise.resolve([[key, [usable('6-0'), ['7-0', ['bad', '']]]]]);
    });
    expect(asked).toEqual(['inbox 5-0']);
    expect(reply?.[0]?.[1].map(([id]) => id)).toEqual(['6-0']);
    expect(seen.invalid).toEqual(['7-0']);
    expect(reader.position).toBe('5-0');
    await reader.round((_block, _count, _key, position) => {
      asked.push(position);
      return Promise.resolve(null);
    });
    expect(asked.at(-1)).toBe('7-0');
    expect(reader.position).toBe('7-0');
  });

  it('throws away a reply for an inbox that was exchanged meanwhile', async () => {
    const { reader } = readerOf();
    reader.point('old', '0-0');
    const { promise, resolve } = Promise.withResolvers<[string, InboxEntry[]][]>();
    const round = reader.round(() => promise);
    await Promise.resolve();
    reader.point('new', '9-0');
    resolve([['old', [usable('1-0')]]]);
    expect(await round).toBeNull();
    expect(reader.position).toBe('9-0');
  });

  it('tells of a gap before it hands on what came after a long silence', async () => {
    const { reader, seen } = readerOf({ gapAfterMs: 20 });
    reader.point('inbox', '0-0');
    await reader.round(() => new Promise((resolve) => { setTimeout(() => { resolve([['inbox', [usable('1-0')]]]); }, 60); }));
    expect(seen.gaps).toBe(1);
  });

  it('waits until it is pointed somewhere, and stands still while it is held', async () => {
    const { reader } = readerOf();
    let reads = 0;
    const read = () => {
      reads += 1;
      return Promise.resolve([['inbox', [usable(`${reads}-0`)]]] as [string, InboxEntry[]][]);
    };
    const first = reader.round(read);
    await new Promise((resolve) => { setImmediate(resolve); });
    expect(reads).toBe(0);
    reader.point('inbox', '0-0');
    await first;
    reader.hold();
    const second = reader.round(read);
    await new Promise((resolve) => { setImmediate(resolve); });
    expect(reads).toBe(1);
    reader.release();
    await second;
    expect(reads).toBe(2);
  });

  it('backs off before it rejects, longer each time, so the loop that has no pause of its own cannot spin', async () => {
    const { reader } = readerOf();
    reader.point('inbox', '0-0');
    const fail = () => Promise.reject(new Error('away'));
    const start = performance.now();
    await expect(reader.round(fail)).rejects.toThrow('away');
    await expect(reader.round(fail)).rejects.toThrow('away');
    await expect(reader.round(fail)).rejects.toThrow('away');
    expect(performance.now() - start).toBeGreaterThan(25 + 50 + 100 - 5);
    reader.close();
    await expect(reader.round(fail)).rejects.toThrow('away');
  });

  it('pauses between two rounds that both brought something', async () => {
    const { reader } = readerOf({ coalesceMs: 30 });
    reader.point('inbox', '0-0');
    let n = 0;
    const read = () => Promise.resolve([['inbox', [usable(`${(n += 1)}-0`)]]] as [string, InboxEntry[]][]);
    await reader.round(read);
    const start = performance.now();
    await reader.round(read);
    expect(performance.now() - start).toBeGreaterThan(25);
  });
});
