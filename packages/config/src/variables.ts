import * as v from 'valibot';
import { choice, host, integer, list, milliseconds, text, url } from './kinds.ts';
import { optional, variable } from './variable.ts';

const secretBytesMin = 32;

const strongSecret = v.pipe(
  v.string(),
  v.check((secret) => secret === secret.trim() && Buffer.byteLength(secret) >= secretBytesMin),
);

/** Over plain http whoever sits between could choose the keys; on a loopback address nobody does. */
const trustedUrl = v.pipe(
  v.string(),
  v.maxLength(2_000),
  v.check((text) => {
    if (!URL.canParse(text)) return false;
    const { protocol, hostname, username, password, hash } = new URL(text);
    const isLoopback = hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname);
    return (protocol === 'https:' || (protocol === 'http:' && isLoopback)) && username === '' && password === '' && hash === '';
  }),
);

/** The variables that several processes have, spelled and documented once. */
export const variables = {
  nodeEnv: choice('NODE_ENV', {
    description: 'Kind of this installation; only development has default secrets and the token endpoint',
    words: ['development', 'test', 'production'],
    default: 'production',
  }),
  logLevel: choice('LOG_LEVEL', {
    description: 'Least level of the log lines that are written',
    words: ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
    default: 'info',
  }),
  redisUrl: url('REDIS_URL', {
    description: 'Redis of the bus: directory, inboxes, logs, sessions (noeviction, append-only file)',
    schemes: ['redis:', 'rediss:'],
    developmentDefault: 'redis://127.0.0.1:6379',
    example: 'redis://127.0.0.1:6379',
  }),
  queueRedisUrl: url('QUEUE_REDIS_URL', {
    description: 'Redis of the queues: lanes and timers; REDIS_URL when not set',
    schemes: ['redis:', 'rediss:'],
    defaultFrom: 'REDIS_URL',
    developmentDefault: 'redis://127.0.0.1:6379',
    example: 'redis://127.0.0.1:6379',
  }),
  databaseUrl: url('DATABASE_URL', {
    description: 'Postgres with the durable state',
    schemes: ['postgres:', 'postgresql:'],
    developmentDefault: 'postgres://postgres@127.0.0.1:5432/skirmish',
    example: 'postgres://skirmish@127.0.0.1:5432/skirmish',
  }),
  databasePoolMax: integer('DATABASE_POOL_MAX', {
    description: 'Most connections of this process to Postgres; all processes together must stay below max_connections',
    min: 1,
    max: 200,
    default: 10,
  }),
  realms: list('REALMS', {
    description: 'Realms that this process serves, between commas',
    item: v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{1,64}$/)),
    expectsItems: 'realm ids of 1 to 64 letters, digits, _ or -,',
    countMin: 1,
    countMax: 64,
    default: 'main',
  }),
  internalHost: host('INTERNAL_HOST', {
    description: 'Address on which the internal port listens, reachable for the other gateways and for Prometheus, never for players',
    default: '127.0.0.1',
    example: '127.0.0.1',
  }),
  internalPort: integer('INTERNAL_PORT', {
    description: 'Internal port: /metrics, health, and forwarded sessions on a gateway; 0 takes any free one',
    min: 0,
    max: 65_535,
    default: 3001,
  }),
  epochGraceMs: milliseconds('EPOCH_GRACE_MS', 'Time for the gateways to register again after Redis came back empty', [100, 5_000, 60_000]),
  resumeWindowMs: milliseconds('RESUME_WINDOW_MS', 'How long a client that lost its connection can resume where it was', [1_000, 120_000, 3_600_000]),
  inboxRetentionMs: milliseconds('INBOX_RETENTION_MS', 'How long entries stay in the inbox of a gateway', [1_000, 60_000, 3_600_000]),
  backendEventsRetentionMs: milliseconds('BACKEND_EVENTS_RETENTION_MS', 'How long the stream of backend events keeps an event', [60_000, 86_400_000, 604_800_000]),
  backendEventsMax: integer('BACKEND_EVENTS_MAX', { description: 'Most events in the stream of backend events', min: 1_000, max: 10_000_000, default: 200_000 }),
  concurrency: integer('CONCURRENCY', {
    description: 'Lanes that a worker steps at the same time, per realm',
    min: 1,
    max: 500,
    default: 20,
  }),
  laneLockMs: milliseconds('LANE_LOCK_MS', 'After the death of a worker its lanes go on within this time and a second', [500, 3_000, 60_000]),
  jwtSecret: optional(
    variable('JWT_SECRET', {
      description: 'Key with which tokens are signed (HS256); or JWT_JWKS_URL, or both during a migration',
      schema: strongSecret,
      expects: `${secretBytesMin} bytes or more without white space around them, for example the output of: openssl rand -base64 48`,
      secret: true,
      developmentDefault: 'development-only-secret-of-skirmish-0123456789',
    }),
  ),
  jwtJwksUrl: optional(
    variable('JWT_JWKS_URL', {
      description: 'Key set of the issuer (ES256, EdDSA, RS256), fetched when first needed and kept for a day while it is away',
      schema: trustedUrl,
      expects: 'an https address (http only on a loopback address), without a user, a password or a fragment',
      example: 'https://id.example.com/.well-known/jwks.json',
    }),
  ),
  jwtAgeSecondsMax: integer('JWT_AGE_SECONDS_MAX', { description: 'Oldest token that is taken, by its iat, seconds', min: 60, max: 31_536_000, default: 604_800 }),
  jwtIssuer: optional(text('JWT_ISSUER', { description: 'Claim iss that tokens must carry; not checked when not set' })),
  jwtAudience: optional(text('JWT_AUDIENCE', { description: 'Claim aud that tokens of players must carry; not checked when not set' })),
  jwtServiceAudience: text('JWT_SERVICE_AUDIENCE', {
    description: 'Claim aud that tokens with the role service or system must carry',
    default: 'skirmish-service',
  }),
};
