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
  const { player, revokedBeforeMs } = await knownNow(call);
  if (!player) throw new Rejection('auth/invalid');
  if (isInForce(player.ban)) throw new Rejection('auth/banned');
  if (identity.issuedAtMs < Math.max(player.tokensValidFromMs ?? 0, revokedBeforeMs)) throw new Rejection('auth/revoked');
  const { data } = session.socket;
  data.expiresAtMs = Math.max(data.expiresAtMs, identity.expiresAtMs);
  // One that ended meanwhile would be followed until its token ends, and nobody would forget it.
  if (realm.sessions.get(session.socketId) === session) realm.gateway.tokens.follow(session);
  return { tokenExpiresAtMs: data.expiresAtMs };
}

interface Known {
  /** As the database has it, null when it has none. */
  readonly player: Player | null;
  /** Tokens that were issued before it are void, by what Redis says of logouts; 0 while it says nothing. */
  readonly revokedBeforeMs: number;
}

/**
 * What Redis and the database say of the user. While one of them gives no answer, what the session knows has to do in its place: no connection
 * ends with its token because Redis or Postgres is away.
 */
async function knownNow({ realm, session }: Call): Promise<Known> {
  const { userId, characterId, player } = session;
  const answered = new AbortController();
  let revokedBeforeMs = 0;
  const read = async (): Promise<Player | null> => {
    const { mark, tokensValidFromMs } = await realm.changes.of(userId);
    revokedBeforeMs = tokensValidFromMs;
    return realm.gateway.players.get({ realm: realm.realm, userId, ...(characterId === null ? {} : { characterId }) }, mark);
  };
  try {
    return { player: await Promise.race([read(), delay(readMsMax, player, { signal: answered.signal })]), revokedBeforeMs };
  } catch {
    return { player, revokedBeforeMs };
  } finally {
    answered.abort();
  }
}
