import { describe, expect, it } from 'vitest';

import { throttled } from './lane-logger.ts';

describe('throttled', () => {
  it('passes each message on once per five seconds', () => {
    const passed: string[] = [];
    let nowMs = 0;
    const report = throttled((message) => passed.push(message), () => nowMs);
    for (nowMs = 0; nowMs <= 5000; nowMs += 100) {
      report('a');
      if (nowMs === 0) report('b');
    }
    expect(passed).toEqual(['a', 'b', 'a']);
  });

  it('remembers a bounded number of messages', () => {
    let passed = 0;
    const report = throttled(() => (passed += 1), () => 0);
    for (let index = 0; index < 1000; index += 1) report(`message ${index % 101}`);
    expect(passed).toBeGreaterThan(101);
  });
});
