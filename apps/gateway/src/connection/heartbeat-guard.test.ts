import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import { guardHeartbeats } from './heartbeat-guard.ts';
import type { EngineSocket } from './session.ts';

/** What Engine.IO and `ws` show of a connection. */
class FakeConnection extends EventEmitter {
  readyState = 'open';
  pingTimeoutTimer: object | null = {};
  transport: { socket?: EventEmitter } = { socket: new EventEmitter() };

  close(): void {
    this.readyState = 'closing';
  }

  hears(type: string, times = 1): void {
    for (let count = 0; count < times; count++) this.emit('packet', { type });
  }

  pings(times = 1): void {
    for (let count = 0; count < times; count++) this.transport.socket?.emit('ping');
  }
}

const guarded = (conn = new FakeConnection()) => {
  const clock = { nowMs: 0 };
  const cuts: string[] = [];
  guardHeartbeats(conn as unknown as EngineSocket, (reason) => cuts.push(reason), () => clock.nowMs);
  return { conn, clock, cuts };
};

describe('the allowance of heartbeats', () => {
  it('is forty at once; one more closes the connection, once', () => {
    const { conn, cuts } = guarded();
    conn.hears('pong', 40);
    expect([conn.readyState, cuts]).toEqual(['open', []]);
    conn.hears('pong', 5);
    expect([conn.readyState, cuts]).toEqual(['closing', ['heartbeats']]);
  });

  it('comes back with four per second, up to the forty', () => {
    const { conn, clock, cuts } = guarded();
    conn.hears('pong', 40);
    clock.nowMs = 1_000;
    conn.hears('pong', 4);
    clock.nowMs = 3_600_000;
    conn.hears('pong', 40);
    expect(cuts).toEqual([]);
    conn.hears('pong');
    expect(cuts).toEqual(['heartbeats']);
  });

  it('is used up by pings of the WebSocket below, and by empty packets, not by messages', () => {
    const { conn, cuts } = guarded();
    conn.hears('message', 1_000);
    conn.pings(20);
    conn.hears('noop', 20);
    expect(cuts).toEqual([]);
    conn.pings();
    expect(cuts).toEqual(['heartbeats']);
  });

  it('counts the pings of a WebSocket that an upgrade brought', () => {
    const polling = new FakeConnection();
    polling.transport = {};
    const { conn, cuts } = guarded(polling);
    conn.transport = { socket: new EventEmitter() };
    conn.emit('upgrade', conn.transport);
    conn.pings(40);
    expect(cuts).toEqual([]);
    conn.pings();
    expect(cuts).toEqual(['heartbeats']);
  });
});

describe('pongs that nobody asked for', () => {
  it('are forgiven three times, and end the connection at the fourth', () => {
    const { conn, cuts } = guarded();
    conn.pingTimeoutTimer = null;
    conn.hears('pong', 3);
    conn.hears('noop', 10);
    conn.pingTimeoutTimer = {};
    conn.hears('pong', 10);
    expect(cuts).toEqual([]);
    conn.pingTimeoutTimer = null;
    conn.hears('pong');
    expect([conn.readyState, cuts]).toEqual(['closing', ['unasked-pongs']]);
  });
});
