import { describe, expect, it } from 'vitest';
import { config } from './config.ts';

const enough = {
  NODE_ENV: 'production',
  REDIS_URL: 'redis://127.0.0.1:6379',
  DATABASE_URL: 'postgres://127.0.0.1/skirmish',
  JWT_SECRET: 'x'.repeat(32),
};

describe('the configuration of a gateway', () => {
  it('has the defaults of the documents', () => {
    expect(config.parse(enough)).toMatchObject({
      socketPort: 3000,
      internalPort: 3001,
      queueRedisUrl: enough.REDIS_URL,
      realms: ['main'],
      rateLimitScale: 1,
      pingIntervalMs: 25_000,
      pingTimeoutMs: 20_000,
      payloadBytesMax: 65_536,
      connectTimeoutMs: 8_000,
      resumeWindowMs: 120_000,
      socketCorsOrigin: undefined,
    });
  });

  it('takes a list of exact origins', () => {
    expect(config.parse({ ...enough, SOCKET_CORS_ORIGIN: 'https://a.example, http://localhost:8080' }).socketCorsOrigin).toEqual(['https://a.example', 'http://localhost:8080']);
  });

  it.each(['*', 'a.example', 'https://a.example/', 'https://a.example/path', 'ftp://a.example', 'https://A.example', 'null'])('refuses %s as an origin', (origin) => {
    expect(() => config.parse({ ...enough, SOCKET_CORS_ORIGIN: origin })).toThrow('SOCKET_CORS_ORIGIN');
  });

  it('has no default secret outside of development', () => {
    expect(() => config.parse({ ...enough, JWT_SECRET: undefined })).toThrow('JWT_SECRET');
    expect(config.parse({ NODE_ENV: 'development' }).jwtSecret?.length).toBeGreaterThanOrEqual(32);
  });

  it('takes a key set instead of a secret, or both', () => {
    const url = 'https://id.example.com/keys';
    expect(config.parse({ ...enough, JWT_SECRET: undefined, JWT_JWKS_URL: url })).toMatchObject({ jwtSecret: undefined, jwtJwksUrl: url });
    expect(config.parse({ ...enough, JWT_JWKS_URL: url }).jwtSecret).toBe(enough.JWT_SECRET);
  });
});
