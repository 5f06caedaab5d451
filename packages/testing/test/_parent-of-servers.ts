import { startPostgres, startRedis } from '../src/index.ts';

/** Starts two Redis, one of them frozen, and a Postgres; says their process ids and stays. */
const [redis, frozen, postgres] = await Promise.all([startRedis(), startRedis(), startPostgres()]);
frozen.pause();
process.send?.({ pids: [redis.pid, frozen.pid, postgres.pid], ports: [redis.port, frozen.port, postgres.port] });
