import { expect, it } from 'vitest';
import { announceReady } from './announce-ready.ts';

/** This test runs in a child of vitest, whose channel must not get the message. */
function withoutParent<Result>(change: () => void, run: () => Result): Result {
  const { send, connected } = process;
  try {
    change();
    return run();
  } finally {
    Object.assign(process, { send, connected });
  }
}

it('does nothing in a process without a parent', () => {
  withoutParent(
    () => Object.assign(process, { send: undefined }),
    () => expect(() => announceReady({ role: 'gateway', id: 'x' })).not.toThrow(),
  );
});

it('sends nothing over a channel that is closed', () => {
  const sent: unknown[] = [];
  withoutParent(
    () => Object.assign(process, { connected: false, send: (message: unknown) => sent.push(message) }),
    () => announceReady({ role: 'gateway', id: 'x' }),
  );
  expect(sent).toEqual([]);
});
