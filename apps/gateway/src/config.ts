import { type ConfigValues, decimal, defineConfig, flag, host, integer, list, milliseconds, optional, text, variables } from '@skirmish/config';
import { partyInvitationMs, presenceGraceMs } from '@skirmish/protocol';
import * as v from 'valibot';
import { isAddressOrNetwork } from './connection/client-address.ts';

/** An origin as browsers send it: scheme, host and port, without a path and never `*`. */
const originSchema = v.pipe(
  v.string(),
  v.maxLength(300),
  v.check((value) => URL.canParse(value) && /^https?:$/.test(new URL(value).protocol) && new URL(value).origin === value),
);

const wildcards: readonly string[] = ['0.0.0.0', '::'];

/** Every environment variable of a gateway. */
export const config = defineConfig({
  nodeEnv: variables.nodeEnv,
  logLevel: variables.logLevel,
  socketHost: text('SOCKET_HOST', { description: 'Address on which players are served', default: '0.0.0.0' }),
  socketPort: integer('SOCKET_PORT', { description: 'Port for players: Socket.IO and HTTP; 0 takes any free one', min: 0, max: 65_535, default: 3000 }),
  socketCorsOrigin: optional(
    list('SOCKET_CORS_ORIGIN', {
      description: 'Origins whose pages may connect; without it only clients that send no Origin, that is native ones',
      item: originSchema,
      expectsItems: 'origins such as https://game.example.com, without a path,',
      countMax: 100,
      developmentDefault: 'http://localhost:3000,http://127.0.0.1:3000',
      example: 'https://game.example.com',
    }),
  ),
  trustedProxies: optional(
    list('TRUSTED_PROXIES', {
      description: 'Load balancers whose X-Forwarded-For names the client; without it all their clients count as one address',
      item: v.pipe(v.string(), v.maxLength(64), v.check(isAddressOrNetwork)),
      expectsItems: 'addresses or networks such as 10.0.0.0/8,',
      countMax: 100,
      developmentDefault: '127.0.0.0/8,::1',
      example: '10.0.0.0/8',
    }),
  ),
  handshakesPerAddressPerSecond: integer('HANDSHAKES_PER_ADDRESS_PER_SECOND', {
    description: 'New connections of one client address per second, saved up for five seconds; more are asked to come back',
    min: 1,
    max: 100_000,
    default: 50,
    developmentDefault: 5_000,
  }),
  forwardedPerAddressPerSecond: integer('FORWARDED_PER_ADDRESS_PER_SECOND', {
    description: 'Requests of one client address per second that are passed on to the gateway of their session, saved up for five seconds',
    min: 1,
    max: 100_000,
    default: 1_000,
    developmentDefault: 20_000,
  }),
  internalHost: variables.internalHost,
  internalAddress: host('INTERNAL_ADDRESS', {
    description: 'Host name or address by which the other gateways reach the internal port; INTERNAL_HOST when not set',
    defaultFrom: 'INTERNAL_HOST',
    default: '127.0.0.1',
  }),
  internalPort: variables.internalPort,
  redisUrl: variables.redisUrl,
  queueRedisUrl: variables.queueRedisUrl,
  databaseUrl: variables.databaseUrl,
  databasePoolMax: variables.databasePoolMax,
  realms: variables.realms,
  jwtSecret: variables.jwtSecret,
  jwtJwksUrl: variables.jwtJwksUrl,
  jwtIssuer: variables.jwtIssuer,
  jwtAudience: variables.jwtAudience,
  jwtServiceAudience: variables.jwtServiceAudience,
  jwtAgeSecondsMax: variables.jwtAgeSecondsMax,
  tokenInQuery: flag('TOKEN_IN_QUERY', { description: 'Whether the query parameter token of a connection is read; addresses stand in logs, so switch it off where no client needs it', default: 'true' }),
  tokenWarnMs: integer('TOKEN_WARN_MS', { description: 'How long before the end of its token a client is told, milliseconds', min: 0, max: 3_600_000, default: 60_000 }),
  tokenGraceMs: integer('TOKEN_GRACE_MS', { description: 'How long after the end of its token a connection is closed, milliseconds', min: 0, max: 600_000, default: 5_000 }),
  rateLimitScale: decimal('RATE_LIMIT_SCALE', { description: 'Multiplies every limit of events and frames', min: 0.01, max: 10_000, default: 1 }),
  connectsPerUserPerSecond: integer('CONNECTS_PER_USER_PER_SECOND', { description: 'New connections of one user per second over all gateways, saved up for six seconds; times RATE_LIMIT_SCALE', min: 1, max: 100_000, default: 5 }),
  strikesWarnAt: integer('STRIKES_WARN_AT', { description: 'Refused requests above a rate at which a user is warned', min: 1, max: 1_000_000, default: 40 }),
  strikesMuteAt: integer('STRIKES_MUTE_AT', { description: 'Refused requests of one feature at which the user is muted there', min: 1, max: 1_000_000, default: 120 }),
  strikesDisconnectAt: integer('STRIKES_DISCONNECT_AT', { description: 'Refused requests at which a user is disconnected, and again at each multiple', min: 1, max: 1_000_000, default: 300 }),
  strikesBanAt: integer('STRIKES_BAN_AT', { description: 'Refused requests at which a user is banned for a while', min: 1, max: 1_000_000, default: 1_000 }),
  strikesMuteMs: milliseconds('STRIKES_MUTE_MS', 'How long a feature stays muted', [100, 60_000, 86_400_000]),
  strikesBanMs: milliseconds('STRIKES_BAN_MS', 'How long a ban for too many refused requests lasts, at least', [100, 900_000, 2_592_000_000]),
  strikesDecayPerMinute: decimal('STRIKES_DECAY_PER_MINUTE', { description: 'Refused requests that are forgotten per minute', min: 0.01, max: 1_000_000, default: 60 }),
  strikesPerFlood: integer('STRIKES_PER_FLOOD', { description: 'As how many refused requests a connection counts that was closed for a flood of frames', min: 0, max: 1_000_000, default: 10 }),
  pingIntervalMs: integer('PING_INTERVAL_MS', { description: 'Time between two heartbeats of a connection, milliseconds', min: 500, max: 300_000, default: 25_000 }),
  pingTimeoutMs: integer('PING_TIMEOUT_MS', { description: 'Time for the answer to a heartbeat, milliseconds', min: 200, max: 300_000, default: 20_000 }),
  payloadBytesMax: integer('PAYLOAD_BYTES_MAX', { description: 'Largest frame or POST body of a client, bytes', min: 4_096, max: 1_048_576, default: 65_536 }),
  connectTimeoutMs: integer('CONNECT_TIMEOUT_MS', { description: 'Time from the transport to a joined realm, milliseconds', min: 500, max: 60_000, default: 8_000 }),
  handshakesPerSecondMax: integer('HANDSHAKES_PER_SECOND_MAX', { description: 'New connections per second of this gateway; twice as many at once', min: 1, max: 1_000_000, default: 300 }),
  socketsPerAddressMax: integer('SOCKETS_PER_ADDRESS_MAX', {
    description: 'Most connections of one client address (IPv6: network of 64 bits)',
    min: 1,
    max: 1_000_000,
    default: 200,
    developmentDefault: 100_000,
  }),
  socketSoftBytesMax: integer('SOCKET_SOFT_BYTES_MAX', { description: 'Bytes waiting for one client above which it gets no ephemeral events and no ticks', min: 4_096, max: 1_073_741_824, default: 131_072 }),
  socketHardBytesMax: integer('SOCKET_HARD_BYTES_MAX', { description: 'Bytes waiting for one client above which its connection is closed', min: 8_192, max: 1_073_741_824, default: 524_288 }),
  memorySoftRatio: decimal('MEMORY_SOFT_RATIO', { description: 'Share of the heap limit or of the memory limit of the container above which new connections are refused', min: 0.1, max: 1, default: 0.85 }),
  eventLoopDelayMaxMs: integer('EVENT_LOOP_DELAY_MAX_MS', { description: '99th percentile of the delay of the event loop above which new connections are refused, milliseconds', min: 20, max: 600_000, default: 200 }),
  presenceGraceMs: integer('PRESENCE_GRACE_MS', { description: 'How long a change of presence must last before anybody is told, milliseconds', min: 0, max: 600_000, default: presenceGraceMs }),
  renewIntervalMs: integer('RENEW_INTERVAL_MS', { description: 'Time between two renewals in the registry, milliseconds', min: 100, max: 60_000, default: 3_000 }),
  condemnAfterTicks: integer('CONDEMN_AFTER_TICKS', { description: 'Missed renewals after which a gateway is condemned', min: 2, max: 20, default: 3 }),
  epochGraceMs: variables.epochGraceMs,
  resumeWindowMs: variables.resumeWindowMs,
  resumeEntriesMax: integer('RESUME_ENTRIES_MAX', { description: 'Most missed events that one resume brings; beyond it the client loads anew', min: 1, max: 1_000_000, default: 30_000 }),
  resumeBytesMax: integer('RESUME_BYTES_MAX', { description: 'Most missed events that one resume brings, in bytes of JSON', min: 1_024, max: 1_073_741_824, default: 10_485_760 }),
  partyInvitationMs: integer('PARTY_INVITATION_MS', { description: 'How long an invitation to a party is open, milliseconds', min: 100, max: 3_600_000, default: partyInvitationMs }),
  partySweepMs: integer('PARTY_SWEEP_MS', { description: 'Time between two looks at the parties that are due, milliseconds', min: 50, max: 60_000, default: 2_000 }),
  inboxRetentionMs: variables.inboxRetentionMs,
  backendEventsRetentionMs: variables.backendEventsRetentionMs,
  backendEventsMax: variables.backendEventsMax,
  readBlockMs: integer('READ_BLOCK_MS', { description: 'Longest wait of one read of the inbox, milliseconds', min: 10, max: 10_000, default: 1_000 }),
  readCoalesceMs: integer('READ_COALESCE_MS', { description: 'Pause between two reads of a busy inbox, milliseconds', min: 0, max: 100, default: 3 }),
  drainDelayMs: integer('DRAIN_DELAY_MS', { description: 'Time from the announcement of a stop to the first closed connection, so that load balancers forget this gateway, milliseconds', min: 0, max: 60_000, default: 0 }),
  drainTimeoutMs: integer('DRAIN_TIMEOUT_MS', { description: 'Time over which the connections are closed on a stop, milliseconds', min: 0, max: 300_000, default: 4_000 }),
}, [
  {
    keys: ['jwtSecret', 'jwtJwksUrl'],
    check: ({ jwtSecret, jwtJwksUrl }) =>
      jwtSecret === undefined && jwtJwksUrl === undefined
        ? 'Neither JWT_SECRET nor JWT_JWKS_URL is set. Set JWT_SECRET to 32 bytes or more, for example the output of: openssl rand -base64 48; or JWT_JWKS_URL to the key set of your issuer.'
        : null,
  },
  {
    keys: ['strikesWarnAt', 'strikesMuteAt', 'strikesDisconnectAt', 'strikesBanAt'],
    check: ({ strikesWarnAt, strikesMuteAt, strikesDisconnectAt, strikesBanAt }) =>
      strikesWarnAt > strikesMuteAt || strikesMuteAt > strikesDisconnectAt || strikesDisconnectAt > strikesBanAt
        ? 'STRIKES_WARN_AT, STRIKES_MUTE_AT, STRIKES_DISCONNECT_AT and STRIKES_BAN_AT are not in this order. Set each to at least the one before it.'
        : null,
  },
  {
    keys: ['internalAddress'],
    check: ({ internalAddress }) =>
      wildcards.includes(internalAddress) ? `INTERNAL_ADDRESS is "${internalAddress}", which nobody can connect to. Set it to the address of this host or pod.` : null,
  },
]);

/** The typed configuration of a gateway. */
export type GatewayConfig = ConfigValues<typeof config>;
