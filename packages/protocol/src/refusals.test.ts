import { describe, expect, it } from 'vitest';

import { isRefusalCode, refusalCodes, refusals } from './refusals.ts';

describe('the catalogue of refusals', () => {
  it('[REF1] has a code, a sentence and a status for each', () => {
    for (const code of refusalCodes) {
      expect(code).toMatch(/^[a-z]+\/[a-z-]+$/);
      expect(refusals[code].message).toMatch(/^[A-Z].{5,99}\.$/);
    }
  });

  it('[CON6] never asks to retry what a token decides', () => {
    for (const code of refusalCodes.filter((name) => /^(auth|client)\//.test(name))) expect(refusals[code].retry).toBe('never');
  });

  it('[CON7] gives a hint in milliseconds where a handshake is refused for the moment', () => {
    for (const code of ['server/draining', 'server/busy', 'server/unavailable'] as const) {
      expect(refusals[code]).toMatchObject({ retry: 'later', status: 503 });
      expect(refusals[code].retryAfterMs).toBeGreaterThan(0);
    }
  });

  it('knows its codes and nothing else, inherited names neither', () => {
    expect(isRefusalCode('chat/too-long')).toBe(true);
    for (const other of ['', 'chat', 'constructor', '__proto__', 'toString', 5, null, undefined]) expect(isRefusalCode(other)).toBe(false);
  });
});
