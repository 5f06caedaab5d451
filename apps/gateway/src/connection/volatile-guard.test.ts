import { describe, expect, it } from 'vitest';
import type { Adapter, BroadcastOptions } from 'socket.io-adapter';
import { guardVolatile } from './volatile-guard.ts';

const guarded = () => {
  const sent: BroadcastOptions[] = [];
  const adapter = { broadcast: (_packet: unknown, opts: BroadcastOptions) => { sent.push(opts); } };
  const slow = new Set<string>();
  const state = { asked: 0, high: false };
  guardVolatile(adapter as unknown as Adapter, { slow, drops: () => { state.asked += 1; return state.high; } });
  return { adapter, sent, slow, state };
};
const flagged = (flags: BroadcastOptions['flags']): BroadcastOptions => ({ rooms: new Set(['zone:meadow']), except: new Set(['left-out']), ...(flags ? { flags } : {}) });
const volatileHere = flagged({ local: true, volatile: true });

describe('a volatile broadcast to the sockets of this gateway', () => {
  it('goes as it is while everybody follows', () => {
    const { adapter, sent } = guarded();
    adapter.broadcast({}, volatileHere);
    expect(sent).toEqual([volatileHere]);
    expect(sent[0]).toBe(volatileHere);
  });

  it('leaves out who cannot follow, beside those whom its sender leaves out', () => {
    const { adapter, sent, slow } = guarded();
    slow.add('slow');
    adapter.broadcast({}, volatileHere);
    adapter.broadcast({}, { rooms: new Set(), flags: { local: true, volatile: true } });
    expect(sent.map(({ except }) => [...(except ?? [])])).toEqual([['left-out', 'slow'], ['slow']]);
    expect([...(volatileHere.except ?? [])]).toEqual(['left-out']);
  });

  it('is dropped under pressure', () => {
    const { adapter, sent, state } = guarded();
    state.high = true;
    adapter.broadcast({}, volatileHere);
    expect(sent).toEqual([]);
  });
});

describe('any other broadcast', () => {
  it.each([
    ['critical', flagged({ local: true })],
    ['to all gateways', flagged({ volatile: true })],
    ['without flags', flagged(undefined)],
  ])('%s goes as it is, to the slow too, and is not counted as dropped under pressure', (_what, opts) => {
    const { adapter, sent, slow, state } = guarded();
    slow.add('slow');
    state.high = true;
    adapter.broadcast({}, opts);
    expect(sent[0]).toBe(opts);
    expect(state.asked).toBe(0);
  });
});
