import { setTimeout as delay } from 'node:timers/promises';
import type { Player } from '@skirmish/database';
import { type ClientAnswer, type ClientPayload, Rejection } from '@skirmish/protocol';
import type { Call } from '../context.ts';
import { isInForce } from '../moderation/is-in-force.ts';

/** How long a refresh waits for what the database says now, milliseconds. */
const readMsMax = 1_000;

/**
 * Takes a newer token of the same user, so that the session outlives the one it began with. Like a connect it looks at bans and logouts anew:
 * a gateway that serves other realms only does not close the sockets here.
 */
export async function onRefresh(call: Call, { token }: ClientPayload<'session:refresh'>): Promise<ClientAnswer<'session:refresh'>> {
  const { realm, session } = call;
  const identity = await realm.gateway.verifier.verifyPlayer(token);
  if (identity.userId !== session.userId) throw new Rejection('auth/invalid');
  if (identity.realm !== undefined && identity.realm !== realm.realm) throw new Rejection('auth/wrong-realm');
  const player = await playerNow(call);
  if (!player) throw new Rejection('auth/invalid');
  if (isInForce(player.ban)) throw new Rejection('auth/banned');
  if (identity.issuedAtMs < (player.tokensValidFromMs ?? 0)) throw new Rejection('auth/revoked');
  const { data } = session.socket;
  data.expiresAtMs = Math.max(data.expiresAtMs, identity.expiresAtMs);
  // One that ended meanwhile would be followed until its token ends, and nobody would forget it.
  if (realm.sessions.get(session.socketId) === session) realm.gateway.tokens.follow(session);
  return { tokenExpiresAtMs: data.expiresAtMs };
}

/**
 * The player as the database has it, null when it has none; while it gives no answer, as the session knows it: no connection ends with its token
 * because Redis or Postgres is away.
 */
async function playerNow({ realm, session }: Call): Promise<Player | null> {
  const { userId, characterId, player } = session;
  const answered = new AbortController();
  const read = async (): Promise<Player | null> => {
    const { mark } = await realm.changes.of(userId);
    return realm.gateway.players.get({ realm: realm.realm, userId, ...(characterId === null ? {} : { characterId }) }, mark);
  };
  try {
    return await Promise.race([read(), delay(readMsMax, player, { signal: answered.signal })]);
  } catch {
    return player;
  } finally {
    answered.abort();
  }
}
