import type { Identity } from '@skirmish/auth';
import type { Player } from '@skirmish/database';
import { protocolVersionMin, refusals, Rejection } from '@skirmish/protocol';
import type { RealmContext } from '../context.ts';
import { roomsOf } from '../room/room-access.ts';
import { deviceIn, protocolIn, scrubHandshake, tokenIn, triesToResume } from './handshake.ts';
import { rejectionOf } from './rejection-of.ts';
import { createSession, type Session, type SocketWithAuth } from './session.ts';

type Next = (error?: Error & { data?: unknown }) => void;

/** Reads of a player whose rooms change while it connects. */
const settleRoundsMax = 3;

/** Sessions whose socket is authenticated and has not joined its realm yet. */
export type Arrivals = Map<string, Session>;

/**
 * The middleware of a realm: verifies the token, loads the player, registers the connection, and leaves its session in
 * `arrivals`. What will not change is refused by `connect_error`; what may pass closes the transport, so that the client
 * comes back by itself.
 */
export function createAuthenticate(realm: RealmContext, arrivals: Arrivals): (socket: SocketWithAuth, next: Next) => void {
  return (socket, next) => {
    realm.gateway.connecting.count += 1;
    void admit(realm, arrivals, socket)
      .then(() => { next(); })
      .catch((error: unknown) => { turnAway(realm, socket, rejectionOf(error), next); })
      .finally(() => {
        realm.gateway.connecting.count -= 1;
        // Joined, or gone on the way: then nobody else would take the registration back.
        setImmediate(() => { if (arrivals.delete(socket.id)) realm.transport.abandon(socket.id); });
      });
  };
}

async function admit(realm: RealmContext, arrivals: Arrivals, socket: SocketWithAuth): Promise<void> {
  const { handshake } = socket;
  const token = tokenIn(handshake);
  const protocol = protocolIn(handshake);
  const device = deviceIn(handshake);
  const resumeAttempted = triesToResume(handshake);
  scrubHandshake(handshake);
  if (protocol !== null && protocol < protocolVersionMin) throw new Rejection('client/too-old');
  const identity = await realm.gateway.verifier.verify(token);
  if (identity.realm !== undefined && identity.realm !== realm.realm) throw new Rejection('auth/wrong-realm');
  const query = queryOf(identity);
  const expected = permitted(await realm.gateway.players.get(query), identity);
  const characterId = expected.character?.characterId ?? null;
  socket.data = { userId: identity.userId, characterId };
  const connectedAtMs = Date.now();
  const { position } = await realm.transport.connect({
    socketId: socket.id,
    userId: identity.userId,
    characterId,
    device,
    rooms: roomsOf(expected),
    zone: expected.character?.zone.id ?? null,
    tokenExpiresAtMs: identity.expiresAtMs,
    connectedAtMs,
  });
  const session = createSession({ socket, userId: identity.userId, characterId, connectedAtMs, position, resumeAttempted, player: expected, tokenExpiresAtMs: identity.expiresAtMs });
  arrivals.set(socket.id, session);
  session.player = await settle(realm, session, query, identity);
}

const queryOf = ({ userId, characterId }: Identity) => ({ userId, ...(characterId === undefined ? {} : { characterId }) });

/** Throws unless the token's user exists, owns the token's character, and is not banned. */
function permitted(player: Player | null, { characterId }: Identity): Player {
  if (!player) throw new Rejection('auth/invalid');
  if (characterId !== undefined && player.character?.characterId !== characterId) throw new Rejection('auth/invalid');
  if (player.ban && (player.ban.untilMs === null || player.ban.untilMs > Date.now())) throw new Rejection('auth/banned');
  return player;
}

/**
 * Reads the player once more, as of after the position from which this session is complete, until all rooms of the answer
 * are registered: a fight that began meanwhile would else be missed, or its first events.
 */
async function settle(realm: RealmContext, { socketId, player: expected }: Session, query: ReturnType<typeof queryOf>, identity: Identity): Promise<Player> {
  const registered = new Set(roomsOf(expected));
  for (let round = 0; round < settleRoundsMax; round++) {
    const player = permitted(await latest(realm, expected, query), identity);
    const missing = roomsOf(player).filter((room) => !registered.has(room));
    if (missing.length === 0) return player;
    await realm.transport.widen(socketId, missing);
    for (const room of missing) registered.add(room);
  }
  throw new Rejection('server/unavailable');
}

/** Without Postgres the earlier answer has to do: a reconnecting player is not locked out by its outage. */
async function latest(realm: RealmContext, expected: Player, query: ReturnType<typeof queryOf>): Promise<Player | null> {
  try {
    return await realm.gateway.players.refresh(query);
  } catch (err) {
    realm.gateway.logger.warn({ err, userId: expected.userId }, 'the player could not be read again');
    return expected;
  }
}

function turnAway(realm: RealmContext, socket: SocketWithAuth, rejection: Rejection, next: Next): void {
  const { code, message } = rejection;
  const { retry } = refusals[code];
  realm.gateway.metrics.report('connect-refused', { code }, { err: rejection.cause });
  if (retry !== 'never') socket.conn.close();
  next(Object.assign(new Error(message), { data: { code, message, retry } }));
}
