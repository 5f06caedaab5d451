import { describe, expect, it } from 'vitest';
import { withoutPayload } from './without-payload.ts';

const text = 'what she said to him "in confidence"\nand more';
const payload = { commandId: 'command-1', channel: { kind: 'whisper', id: 'p2' }, text };

describe('an error as it may be logged', () => {
  it('has lost every text of the payload, as it is and as JSON, in message, stack and causes', () => {
    const error = new RangeError(`cannot store ${text}`, { cause: new Error(`near ${JSON.stringify(payload)}`) });
    const cleaned = withoutPayload(error, payload) as Error & { cause: Error };
    const written = [cleaned.message, cleaned.stack, cleaned.cause.message, cleaned.cause.stack].join('\n');
    expect(written).not.toMatch(/confidence/);
    expect(cleaned.message).toBe('cannot store [payload]');
    expect(cleaned.cause.message).toContain('"text":"[payload]"');
  });

  it('is still the error that it was, and names what ids the payload named', () => {
    const error = Object.assign(new RangeError(`no command-1 for p2: ${text}`), { code: 'E_LANE' });
    const cleaned = withoutPayload(error, payload);
    expect(cleaned).toBeInstanceOf(RangeError);
    expect(cleaned).toMatchObject({ name: 'RangeError', code: 'E_LANE', message: 'no command-1 for p2: [payload]' });
    expect((cleaned as Error).stack).toContain('without-payload.test.ts');
    expect(error.message).toContain(text);
  });

  it('is left alone where the payload has no texts, and is whatever was thrown', () => {
    const error = new Error('plain');
    expect(withoutPayload(error, { seq: 1, x: 2 })).toBe(error);
    expect(withoutPayload(error, undefined)).toBe(error);
    expect(withoutPayload(`thrown: ${text}`, payload)).toBe('thrown: [payload]');
    expect(withoutPayload(null, payload)).toBeNull();
    expect(withoutPayload({ payload }, payload)).toBe('[thrown object]');
  });

  it('can be logged with all of its errors', () => {
    const error = withoutPayload(new AggregateError([new Error(text), text], 'both'), payload) as AggregateError;
    expect(error).toBeInstanceOf(AggregateError);
    expect(error.errors.map((each) => (each instanceof Error ? each.message : String(each)))).toEqual(['[payload]', '[payload]']);
  });

  it('ends where causes form a circle', () => {
    const error = new Error(text);
    error.cause = error;
    expect(JSON.stringify([(withoutPayload(error, payload) as Error).message])).not.toContain('confidence');
  });

  it('hides the longest text first, so that no rest of it stays', () => {
    expect((withoutPayload(new Error('secret-and-more'), { a: 'secret', b: 'secret-and-more' }) as Error).message).toBe('[payload]');
  });
});
