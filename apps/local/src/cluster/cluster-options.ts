import { FlagError, readFlags } from '../flags.ts';

/** What `npm start` can be told. */
export const startFlags = {
  port: { default: 8080, description: 'where players connect' },
  gateways: { default: 2, description: 'gateway processes' },
  'combat-workers': { default: 1, description: 'combat worker processes' },
  'moderation-workers': { default: 1, description: 'moderation worker processes' },
  bots: { default: 0, description: 'bots that walk in the meadow' },
  players: { default: 500, description: 'players p1, p2, … of the development world' },
  realms: { default: 'main', description: 'realms, separated by commas' },
  fresh: { default: false, description: 'begin with an empty Redis and an empty Postgres' },
};

/** How many of what, and where. */
export interface ClusterSize {
  port: number;
  gateways: number;
  combatWorkers: number;
  moderationWorkers: number;
  bots: number;
  players: number;
  realms: string[];
  fresh: boolean;
}

const processesMax = 64;
const playersMax = 1_000_000;

/** Reads the flags; throws a FlagError that says what is wrong with them. */
export function readClusterSize(command: string, args: readonly string[]): ClusterSize {
  const flags = readFlags(command, startFlags, args);
  const size: ClusterSize = {
    port: bounded('port', flags.port, 1, 65_535),
    gateways: bounded('gateways', flags.gateways, 1, processesMax),
    combatWorkers: bounded('combat-workers', flags['combat-workers'], 0, processesMax),
    moderationWorkers: bounded('moderation-workers', flags['moderation-workers'], 0, processesMax),
    players: bounded('players', flags.players, 1, playersMax),
    bots: bounded('bots', flags.bots, 0, flags.players),
    realms: flags.realms.split(',').map((realm) => realm.trim()),
    fresh: flags.fresh,
  };
  const wrong = size.realms.find((realm) => !/^[A-Za-z0-9_-]{1,64}$/.test(realm));
  if (wrong !== undefined) throw new FlagError(`--realms: "${wrong}" is no realm; letters, digits, _ and - are allowed, 1 to 64 of them.`);
  return size;
}

function bounded(name: string, value: number, min: number, max: number): number {
  if (value >= min && value <= max) return value;
  throw new FlagError(`--${name} is between ${min} and ${max}, not ${value}.`);
}
