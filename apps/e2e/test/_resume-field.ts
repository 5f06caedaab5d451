import { createDatabase, type Database } from '@skirmish/database';
import type { Emitter } from '@skirmish/emitter';
import { roomOf, type RoomName, type UserId } from '@skirmish/protocol';
import { compareStreamIds, keysOf, type RealmKeys, type Redis } from '@skirmish/redis';
import { eventually } from '@skirmish/testing';
import { startCluster, type Cluster, type ClusterOptions } from './_cluster.ts';
import { RawSession } from './_raw-session.ts';

/** Where a session is asked for. */
export interface ResumePlan {
  /** Index of the gateway; default 1. */
  gateway?: number;
  /** Over what the earlier session had. */
  auth?: Record<string, unknown>;
}

/** A cluster of two gateways and raw clients: what a resume answers, packet by packet. */
export interface ResumeField extends AsyncDisposable {
  readonly cluster: Cluster;
  readonly redis: Redis;
  readonly keys: RealmKeys;
  readonly database: Database;
  readonly emitter: Emitter;
  /** Emits the next numbers to rooms, one each, and resolves to the first number. */
  emit(rooms: readonly RoomName[], options?: { except?: readonly string[]; count?: number }): Promise<number>;
  /** A session of a user who was never here, after its welcome. */
  begin(userId: string, gateway?: number): Promise<RawSession>;
  /** Ends the connection of a session that has heard a last event, so that it has a position; resolves when the cluster has noticed. */
  leave(session: RawSession, userId: string): Promise<void>;
  /** Asks for the earlier session with its id and position. */
  resume(session: RawSession, userId: string, plan?: ResumePlan): Promise<RawSession>;
  /** What the session got altogether before a further event to its user; throws when it was not welcomed first, or positions do not grow. */
  numbersOf(session: RawSession, userId: string): Promise<number[]>;
}

export const userRoom = (userId: string): RoomName => roomOf.user(userId as UserId);

export async function openResumeField(options: ClusterOptions = {}): Promise<ResumeField> {
  const cluster = await startCluster({ gateways: 2, combatWorkers: 0, moderationWorkers: 0, players: 60, ...options });
  const database = createDatabase({ url: cluster.databaseUrl, poolMax: 2 });
  const redis = cluster.command();
  await eventually(() => redis.status === 'ready');
  const emitter = cluster.emitter();
  const keys = keysOf(cluster.realm);
  const sessions: RawSession[] = [];
  const markers = new Set<number>();
  let last = 0;
  const connect = async (userId: string, gateway: number, auth: Record<string, unknown>): Promise<RawSession> => {
    const url = cluster.gateways[gateway]?.url ?? '';
    const session = await RawSession.connect(url, cluster.realm, { token: await cluster.token(userId), ...auth });
    sessions.push(session);
    return session;
  };
  const field: ResumeField = {
    cluster, redis, keys, database, emitter,
    emit: async (rooms, { except = [], count = 1 } = {}) => {
      const first = last + 1;
      last += count;
      // Those that are under way together keep their order.
      await Promise.all(Array.from({ length: count }, (_, n) => emitter.emit({ rooms, except }, 'app:n', { number: first + n })));
      return first;
    },
    begin: async (userId, gateway = 0) => {
      const session = await connect(userId, gateway, {});
      await eventually(() => session.recovered === false, { what: 'the welcome' });
      return session;
    },
    leave: async (session, userId) => {
      await session.hears(await field.emit([userRoom(userId)]));
      const { sid } = session;
      session.close();
      await eventually(async () => !(await redis.hexists(keys.user(userId as UserId), sid)), { what: 'the end of the session to be known' });
    },
    resume: (session, userId, { gateway = 1, auth = {} } = {}) => connect(userId, gateway, { pid: session.pid, offset: session.offset, ...auth }),
    numbersOf: async (session, userId) => {
      const marker = await field.emit([userRoom(userId)]);
      markers.add(marker);
      await session.hears(marker);
      expectOrdered(session);
      return session.numbers.filter((number) => !markers.has(number));
    },
    [Symbol.asyncDispose]: async () => {
      for (const session of sessions) session.close();
      await eventually(() => sessions.every(({ closed }) => closed), { what: 'the end of all WebSockets' });
      await database.close();
      await cluster.stop();
    },
  };
  return field;
}

function expectOrdered({ events }: RawSession): void {
  if (events[0]?.event !== 'session:welcome') throw new Error(`${events[0]?.event ?? 'nothing'} came before the welcome`);
  const positions = events.flatMap(({ event, position }) => (position === undefined || event === 'session:position' ? [] : [position]));
  const wrong = positions.findIndex((position, n) => n > 0 && compareStreamIds(position, positions[n - 1] ?? '') <= 0);
  if (wrong > 0) throw new Error(`position ${positions[wrong]} after ${positions[wrong - 1]}`);
}
