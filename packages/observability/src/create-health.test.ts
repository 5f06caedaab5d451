import { describe, expect, it } from 'vitest';
import { createHealth, type Health } from './create-health.ts';

function withClock(): { health: Health; advance: (ms: number) => void } {
  let nowMs = 1_000;
  return { health: createHealth({ now: () => nowMs }), advance: (ms) => void (nowMs += ms) };
}

describe('readiness', () => {
  it('is given when nothing is registered or everything is well', () => {
    const health = createHealth();
    expect(health.readiness()).toEqual({ ready: true, draining: false, reasons: [] });
    health.register('bus', () => ({ ok: true }));
    expect(health.readiness().ready).toBe(true);
  });

  it('names every check that fails and why', () => {
    const health = createHealth();
    health.register('bus', () => ({ ok: false, reason: 'no connection' }));
    health.register('database', () => ({ ok: true }));
    health.register('migrations', () => ({ ok: false }));
    expect(health.readiness()).toEqual({ ready: false, draining: false, reasons: ['bus: no connection', 'migrations: failing'] });
  });

  it('takes a check that throws for one that fails, without its message', () => {
    const health = createHealth();
    health.register('bus', () => {
      throw new Error('redis://u:hush@bus');
    });
    expect(health.readiness().reasons).toEqual(['bus: the check threw an error']);
  });

  it('forgives a failure until its grace is over, and counts anew after a success', () => {
    const { health, advance } = withClock();
    let ok = false;
    health.register('bus', () => ({ ok }), { graceMs: 100 });
    expect(health.readiness().ready).toBe(true);
    advance(99);
    expect(health.readiness().ready).toBe(true);
    advance(1);
    expect(health.readiness()).toMatchObject({ ready: false, reasons: ['bus: failing'] });
    ok = true;
    expect(health.readiness().ready).toBe(true);
    ok = false;
    advance(50);
    expect(health.readiness().ready).toBe(true);
    advance(100);
    expect(health.readiness().ready).toBe(false);
  });

  it('is gone for ever once the process drains, with the first reason', () => {
    const health = createHealth();
    health.drain('SIGTERM');
    health.drain('SIGINT');
    expect(health.readiness()).toEqual({ ready: false, draining: true, reasons: ['draining: SIGTERM'] });
  });
});

describe('register', () => {
  it('refuses a name that is taken and frees it again', () => {
    const health = createHealth();
    const remove = health.register('bus', () => ({ ok: false }));
    expect(() => health.register('bus', () => ({ ok: true }))).toThrow('there is a health check "bus" already');
    remove();
    expect(health.readiness().ready).toBe(true);
    health.register('bus', () => ({ ok: true }));
  });
});

describe('report', () => {
  it('has readiness, every check with its details, age and memory of the process', () => {
    const { health, advance } = withClock();
    health.register('sockets', () => ({ ok: true, details: { count: 3 } }));
    health.register('bus', () => ({ ok: false, reason: 'away' }));
    advance(500);
    expect(health.report()).toEqual({
      ready: false,
      draining: false,
      reasons: ['bus: away'],
      startedAtMs: 1_000,
      uptimeMs: 500,
      pid: process.pid,
      memoryBytes: { rss: expect.any(Number), heapUsed: expect.any(Number), external: expect.any(Number) },
      checks: { sockets: { ok: true, details: { count: 3 } }, bus: { ok: false, reason: 'away' } },
    });
  });
});
