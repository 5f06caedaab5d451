import { describe, expect, it } from 'vitest';
import { ConfigError } from './config-error.ts';
import { defineConfig, type Config, type Environment, type Shape } from './define-config.ts';
import { integer, text, url } from './kinds.ts';
import { optional, variable } from './variable.ts';
import * as v from 'valibot';

const description = 'for tests';
const secretSchema = v.pipe(v.string(), v.minLength(8));
const config = defineConfig({
  port: integer('PORT', { description, min: 0, max: 65_535, default: 3000, example: '3000' }),
  busUrl: url('BUS_URL', { description, schemes: ['redis:'], developmentDefault: 'redis://127.0.0.1:6379' }),
  queueUrl: url('QUEUE_URL', { description, schemes: ['redis:'], defaultFrom: 'BUS_URL', developmentDefault: 'redis://127.0.0.1:6379' }),
  key: variable('KEY', { description, schema: secretSchema, expects: '8 characters or more', secret: true, developmentDefault: 'for development' }),
  issuer: optional(text('ISSUER', { description })),
});
const good = { BUS_URL: 'redis://u:pw@bus', KEY: 'a good key' };

function sentences<S extends Shape>(of: Config<S>, env: Environment): string[] {
  try {
    of.parse(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.mistakes.map(({ sentence }) => sentence);
    throw error;
  }
  return [];
}

describe('parse', () => {
  it('answers typed values under the keys of the shape', () => {
    expect(config.parse({ ...good, PORT: '80', QUEUE_URL: 'redis://queue', ISSUER: 'studio' })).toEqual({
      port: 80,
      busUrl: 'redis://u:pw@bus',
      queueUrl: 'redis://queue',
      key: 'a good key',
      issuer: 'studio',
    });
  });

  it('takes defaults, another variable or nothing for what is not set', () => {
    expect(config.parse(good)).toEqual({ port: 3000, busUrl: good.BUS_URL, queueUrl: good.BUS_URL, key: good.KEY, issuer: undefined });
  });

  it('cannot be changed afterwards', () => {
    expect(Object.isFrozen(config.parse(good))).toBe(true);
  });

  it('takes white space only as not set and drops it around a value', () => {
    expect(config.parse({ ...good, PORT: '  ', ISSUER: ' studio\r' })).toMatchObject({ port: 3000, issuer: 'studio' });
  });

  it('keeps a secret as it is, white space included', () => {
    expect(config.parse({ ...good, KEY: ' a good key ' }).key).toBe(' a good key ');
  });

  it.each(['production', 'test', undefined, 'Development'])('uses no development default when NODE_ENV is %s', (nodeEnv) => {
    expect(sentences(config, { NODE_ENV: nodeEnv })).toHaveLength(2);
  });

  it('uses development defaults in development, behind what is set', () => {
    expect(config.parse({ NODE_ENV: 'development', BUS_URL: 'redis://mine' })).toMatchObject({ key: 'for development', busUrl: 'redis://mine', queueUrl: 'redis://mine' });
    expect(config.parse({ NODE_ENV: 'development' })).toMatchObject({ queueUrl: 'redis://127.0.0.1:6379' });
  });

  it('reports every mistake at once, each with its repair', () => {
    expect(sentences(config, { PORT: 'abc', QUEUE_URL: 'http://queue', KEY: 'short' })).toEqual([
      'PORT is "abc". Set it to a whole number from 0 to 65535, for example PORT=3000.',
      'BUS_URL is not set. Set it to a URL that begins with redis://.',
      'QUEUE_URL has a value that cannot be used (it is not shown). Set it to a URL that begins with redis://.',
      'KEY has a value that cannot be used (it is not shown). Set it to 8 characters or more.',
    ]);
  });

  it('puts all of them into the message of the error, one line each', () => {
    expect(() => config.parse({ PORT: 'abc', KEY: good.KEY })).toThrow(/^2 mistakes in the configuration:\n {2}- PORT is .*\n {2}- BUS_URL is not set.*$/);
    expect(() => config.parse({ ...good, PORT: 'abc' })).toThrow(/^1 mistake in the configuration:\n/);
  });

  it('never quotes a secret or what may be a URL with a password', () => {
    const said = sentences(config, { PORT: 'x://u:hush@h', BUS_URL: 'htp://u:hush@h', KEY: 'hush' }).join();
    expect(said).not.toContain('hush');
    expect(said).toContain('KEY');
  });

  it('says nothing about a variable that only echoes the mistake of another', () => {
    expect(sentences(config, { KEY: good.KEY, BUS_URL: 'wrong' })).toHaveLength(1);
    expect(sentences(config, { KEY: good.KEY, BUS_URL: 'wrong', QUEUE_URL: 'wrong too' })).toHaveLength(2);
  });

  it('quotes a wrong value short and without control characters', () => {
    expect(sentences(config, { ...good, PORT: `\u001b[31m${'9'.repeat(80)}` })).toEqual([
      `PORT is "?[31m${'9'.repeat(55)}…". Set it to a whole number from 0 to 65535, for example PORT=3000.`,
    ]);
  });

  it('refuses two keys for one variable', () => {
    expect(() => defineConfig({ a: text('SAME', { description }), b: text('SAME', { description }) })).toThrow('SAME stands twice in the configuration');
  });
});

describe('rules between values', () => {
  const low = integer('LOW', { description, min: 0, max: 9 });
  const high = integer('HIGH', { description, min: 0, max: 9 });
  const check = (values: { low: number; high: number }): string | null => (values.low <= values.high ? null : 'LOW is above HIGH. Raise HIGH.');
  const ruled = defineConfig({ low, high }, [{ keys: ['low', 'high'], check }]);

  it('add their mistake to the list', () => {
    expect(() => ruled.parse({ LOW: '5', HIGH: '4' })).toThrow('LOW is above HIGH. Raise HIGH.');
    expect(ruled.parse({ LOW: '4', HIGH: '5' })).toEqual({ low: 4, high: 5 });
  });

  it('name the variables that they are about', () => {
    try {
      ruled.parse({ LOW: '5', HIGH: '4' });
      expect.unreachable();
    } catch (error) {
      expect(error).toMatchObject({ mistakes: [{ name: 'LOW, HIGH' }] });
    }
  });

  it('are not asked while a value of theirs is missing', () => {
    expect(sentences(ruled, { LOW: '5' })).toEqual(['HIGH is not set. Set it to a whole number from 0 to 9.']);
  });
});

describe('describe', () => {
  it('shows every variable with its value and where it came from', () => {
    const shown = config.describe(config.parse({ ...good, PORT: '80' })).map(({ key, name, value, source }) => [key, name, value, source]);
    expect(shown).toEqual([
      ['port', 'PORT', '80', 'env'],
      ['busUrl', 'BUS_URL', 'redis://u:•••@bus', 'env'],
      ['queueUrl', 'QUEUE_URL', 'redis://u:•••@bus', 'default'],
      ['key', 'KEY', '•••', 'env'],
      ['issuer', 'ISSUER', '', 'unset'],
    ]);
  });

  it('shows values that the program changed as overrides', () => {
    const shown = config.describe({ ...config.parse(good), port: 0 });
    expect(shown[0]).toMatchObject({ value: '0', source: 'override' });
  });

  it('shows the defaults when nothing was parsed, and what must be set', () => {
    expect(config.describe().map(({ name, value, source, required }) => [name, value, source, required])).toEqual([
      ['PORT', '3000', 'default', false],
      ['BUS_URL', '', 'unset', true],
      ['QUEUE_URL', '', 'unset', false],
      ['KEY', '', 'unset', true],
      ['ISSUER', '', 'unset', false],
    ]);
  });

  it('hides a secret, also one from a default', () => {
    expect(JSON.stringify(config.describe(config.parse({ NODE_ENV: 'development' })))).not.toContain('for development');
  });
});
