import { describe, expect, it } from 'vitest';
import { ConfigError } from './config-error.ts';
import { defineConfig } from './define-config.ts';
import { variables } from './variables.ts';

const config = defineConfig(variables);
const good = { REDIS_URL: 'redis://bus', DATABASE_URL: 'postgres://u@db/skirmish', JWT_SECRET: 's'.repeat(32) };

function wrongNames(env: Record<string, string>): string[] {
  try {
    config.parse(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.mistakes.map(({ name }) => name);
    throw error;
  }
  return [];
}

describe('variables', () => {
  it('have defaults for everything but secrets and addresses', () => {
    expect(config.parse(good)).toEqual({
      nodeEnv: 'production',
      logLevel: 'info',
      redisUrl: 'redis://bus',
      queueRedisUrl: 'redis://bus',
      databaseUrl: 'postgres://u@db/skirmish',
      databasePoolMax: 10,
      realms: ['main'],
      internalHost: '127.0.0.1',
      internalPort: 3001,
      epochGraceMs: 5_000,
      resumeWindowMs: 120_000,
      inboxRetentionMs: 60_000,
      backendEventsRetentionMs: 86_400_000,
      backendEventsMax: 200_000,
      concurrency: 20,
      laneLockMs: 3_000,
      jwtSecret: good.JWT_SECRET,
      jwtJwksUrl: undefined,
      jwtIssuer: undefined,
      jwtAudience: undefined,
      jwtServiceAudience: 'skirmish-service',
      jwtAgeSecondsMax: 604_800,
    });
  });

  it('need nothing at all in development', () => {
    expect(wrongNames({ NODE_ENV: 'development' })).toEqual([]);
  });

  it('have no secret and no address by default in production', () => {
    expect(wrongNames({})).toEqual(['REDIS_URL', 'DATABASE_URL']);
  });

  it.each([
    ['NODE_ENV', 'prod'],
    ['LOG_LEVEL', 'verbose'],
    ['REDIS_URL', 'http://bus'],
    ['QUEUE_REDIS_URL', 'bus'],
    ['DATABASE_URL', 'mysql://db'],
    ['DATABASE_POOL_MAX', '0'],
    ['REALMS', 'main,with#hash'],
    ['REALMS', 'main,main'],
    ['INTERNAL_HOST', '0.0.0.0:3001'],
    ['INTERNAL_PORT', '65536'],
    ['JWT_SECRET', 's'.repeat(31)],
    ['JWT_SECRET', `${'s'.repeat(40)}\n`],
    ['JWT_JWKS_URL', 'http://issuer.example/keys'],
    ['JWT_JWKS_URL', 'https://user:word@issuer.example/keys'],
    ['JWT_JWKS_URL', 'http://127.0.0.1.example.com/keys'],
    ['JWT_JWKS_URL', 'file:///keys'],
    ['JWT_AGE_SECONDS_MAX', '59'],
  ])('%s=%s is a mistake', (name, value) => {
    expect(wrongNames({ ...good, [name]: value })).toEqual([name]);
  });

  it.each(['https://issuer.example/keys?v=1', 'http://127.0.0.1:9000/keys', 'http://localhost/keys', 'http://[::1]:1/keys'])('take %s as the address of a key set', (url) => {
    expect(wrongNames({ ...good, JWT_JWKS_URL: url })).toEqual([]);
  });

  it('measure the secret in bytes', () => {
    expect(wrongNames({ ...good, JWT_SECRET: 'é'.repeat(16) })).toEqual([]);
    expect(wrongNames({ ...good, JWT_SECRET: 'é'.repeat(15) })).toEqual(['JWT_SECRET']);
  });

  it('tell the reader of a log what they are for', () => {
    for (const { description, expects } of config.describe()) {
      expect(description.length).toBeGreaterThan(10);
      expect(expects.length).toBeGreaterThan(3);
    }
  });
});
