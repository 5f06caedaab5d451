import { type ClientAnswer, type ClientPayload, Rejection } from '@skirmish/protocol';
import type { Call } from '../context.ts';

/** Takes a newer token of the same user, so that the session outlives the one it began with. */
export async function onRefresh({ realm, session }: Call, { token }: ClientPayload<'session:refresh'>): Promise<ClientAnswer<'session:refresh'>> {
  const identity = await realm.gateway.verifier.verifyPlayer(token);
  if (identity.userId !== session.userId) throw new Rejection('auth/invalid');
  if (identity.realm !== undefined && identity.realm !== realm.realm) throw new Rejection('auth/wrong-realm');
  if (identity.issuedAtMs < (session.player.tokensValidFromMs ?? 0)) throw new Rejection('auth/revoked');
  const { data } = session.socket;
  data.expiresAtMs = Math.max(data.expiresAtMs, identity.expiresAtMs);
  realm.gateway.tokens.follow(session);
  return { tokenExpiresAtMs: data.expiresAtMs };
}
