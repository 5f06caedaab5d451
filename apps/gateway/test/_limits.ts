import { createDatabase, type Database } from '@skirmish/database';
import type { Client, TestWorld } from './_gateway.ts';

/** The ladder with steps that a test reaches in no time, and strikes that do not fade meanwhile. */
export const smallLadder = { STRIKES_WARN_AT: '5', STRIKES_MUTE_AT: '10', STRIKES_DISCONNECT_AT: '20', STRIKES_BAN_AT: '40', STRIKES_DECAY_PER_MINUTE: '1' };

/** No step is ever reached. */
export const noLadder = { STRIKES_WARN_AT: '1000000', STRIKES_MUTE_AT: '1000000', STRIKES_DISCONNECT_AT: '1000000', STRIKES_BAN_AT: '1000000' };

export interface Sanctioned {
  readonly kind: string;
  readonly reason: string;
  readonly untilMs?: number;
}

const channel = { kind: 'zone', id: 'meadow' };
let messages = 0;

export const sendChat = (client: Client) => client.ask('chat:send', { commandId: `m${(messages += 1)}`, channel, text: 'hello' });

/** One answer to `chat:typing` in 3 s, so of `count` of them the first is taken once in a while, and the others are strikes. */
export function strike({ socket }: Client, count: number): void {
  for (let n = 0; n < count; n += 1) socket.emit('chat:typing', { channel });
}

export const openDatabase = (world: TestWorld): Database => createDatabase({ url: world.databaseUrl, poolMax: 1 });

/** The score of all features of a user together, or of one; null without a row. */
export async function scoreOf({ db }: Database, userId: string, feature = ''): Promise<number | null> {
  const row = await db.selectFrom('strikes').select('score').where('user_id', '=', userId).where('feature', '=', feature).executeTakeFirst();
  return row?.score ?? null;
}
