import { describe, expect, it } from 'vitest';
import { createLogger, type Logger, type LogLevel } from './create-logger.ts';
import { redacted } from './loggable.ts';

function logInto(level: LogLevel = 'info'): { logger: Logger; lines: () => Record<string, unknown>[] } {
  const written: string[] = [];
  const logger = createLogger({ name: 'gateway', level, destination: { write: (line) => written.push(line) } });
  return { logger, lines: () => written.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

describe('createLogger', () => {
  it('writes one JSON object per line with level, time, process and message', () => {
    const { logger, lines } = logInto();
    logger.info({ userId: 'p1' }, 'connected');
    expect(lines()).toEqual([
      { level: 'info', time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/), name: 'gateway', pid: process.pid, userId: 'p1', msg: 'connected' },
    ]);
  });

  it('writes nothing below its level', () => {
    const { logger, lines } = logInto('warn');
    logger.info('no');
    logger.warn('yes');
    expect(lines()).toHaveLength(1);
  });

  it('redacts fields of lines, of children and of their children', () => {
    const { logger, lines } = logInto();
    logger.info({ auth: { token: 'hush' } }, 'line');
    const child = logger.child({ component: 'edge', token: 'hush' });
    child.info('child');
    child.child({ nested: { cookie: 'hush' } }, { level: 'debug' }).debug('grandchild');
    expect(JSON.stringify(lines())).not.toContain('hush');
    expect(lines()[1]).toMatchObject({ component: 'edge', token: redacted });
    expect(lines()[2]).toMatchObject({ component: 'edge', nested: { cookie: redacted }, level: 'debug' });
  });

  it('writes errors under any key with their own type', () => {
    const { logger, lines } = logInto();
    logger.error(new RangeError('bare'));
    logger.error({ err: new RangeError('err'), reason: new TypeError('other') }, 'failed');
    expect(lines()[0]).toMatchObject({ err: { type: 'RangeError', message: 'bare' }, msg: 'bare' });
    expect(lines()[1]).toMatchObject({ err: { type: 'RangeError' }, reason: { type: 'TypeError', message: 'other' }, msg: 'failed' });
  });
});
