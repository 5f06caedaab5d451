import { Rejection } from '@skirmish/protocol';
import { eventually, timePasses } from '@skirmish/testing';
import { describe, expect, it } from 'vitest';

import { runStep } from './run-step.ts';

const options = { timeoutMs: 1000, isInfrastructureError: () => false };
const failing = (error: unknown, isInfrastructureError = () => false) =>
  runStep(
    async () => {
      throw error;
    },
    { ...options, isInfrastructureError },
  );

describe('runStep', () => {
  it('calls a step done that resolves', async () => {
    expect(await runStep(async () => undefined, options)).toEqual({ outcome: 'done' });
  });

  it.each([
    ['an error of the rule', new Error('division by zero'), 'rule-error'],
    ['a thrown string', 'oops', 'rule-error'],
    ['a refusal of the rule', new Rejection('combat/over'), 'rule-error'],
    ['a refusal that may pass', new Rejection('server/unavailable'), 'infrastructure'],
    ['a lost connection', new Error('Connection is closed.'), 'infrastructure'],
    ['a refused connection', new Error('connect ECONNREFUSED 127.0.0.1:1'), 'infrastructure'],
  ])('takes %s for what it is', async (_, error, outcome) => {
    expect((await failing(error)).outcome).toBe(outcome);
  });

  it('asks whether an error is the infrastructure\'s', async () => {
    expect((await failing(new Error('statement timeout'), () => true)).outcome).toBe('infrastructure');
  });

  it('leaves a step that does not end, tells it by its signal, and does not count that as its fault', async () => {
    let told: unknown;
    const result = await runStep(
      (signal) =>
        new Promise(() => {
          signal.addEventListener('abort', () => {
            told = signal.reason;
          });
        }),
      { ...options, timeoutMs: 20 },
    );
    expect(result.outcome).toBe('timeout');
    expect(String(told)).toContain('20 ms');
  });

  it('leaves a step when the lane is taken away', async () => {
    const outer = new AbortController();
    const running = runStep(() => new Promise(() => undefined), { ...options, outer: outer.signal });
    outer.abort('the lane was taken over');
    expect((await running).outcome).toBe('infrastructure');
  });

  it('begins no step for a lane that was taken away before', async () => {
    let begun = false;
    const step = (): Promise<void> => {
      begun = true;
      return new Promise(() => undefined);
    };
    const result = await runStep(step, { ...options, timeoutMs: 100, outer: AbortSignal.abort('the lane was taken over') });
    expect([result.outcome, begun]).toEqual(['infrastructure', false]);
  });

  it('takes a synchronous throw and a late rejection without an unhandled one', async () => {
    const thrown = await runStep(() => {
      throw new Error('at once');
    }, options);
    expect(thrown.outcome).toBe('rule-error');
    let ended = false;
    const late = await runStep(
      async () => {
        await timePasses(40, 'a step that fails after its limit');
        ended = true;
        throw new Error('late');
      },
      { ...options, timeoutMs: 10 },
    );
    expect(late.outcome).toBe('timeout');
    // The set-up of the run fails it if the late rejection is unhandled.
    await eventually(() => ended);
  });
});
