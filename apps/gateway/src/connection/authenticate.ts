import type { Identity } from '@skirmish/auth';
import type { Player } from '@skirmish/database';
import type { PlayerChange } from '@skirmish/emitter';
import { type PartyId, protocolVersionMin, refusals, Rejection } from '@skirmish/protocol';
import type { RealmContext } from '../context.ts';
import { isInForce } from '../moderation/is-in-force.ts';
import { roomsOf, standingIn } from '../room/room-access.ts';
import { deviceIn, protocolIn, scrubHandshake, tokenIn, triesToResume } from './handshake.ts';
import { rejectionOf } from './rejection-of.ts';
import { beginAnew, freshPrivateId, privateIdOf, wishOf } from './resume-wish.ts';
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
        setImmediate(() => {
          arrivals.delete(socket.id);
          if (!realm.sessions.get(socket.id)) realm.transport.abandon(socket.id);
        });
      });
  };
}

async function admit(realm: RealmContext, arrivals: Arrivals, socket: SocketWithAuth): Promise<void> {
  const { handshake } = socket;
  const token = tokenIn(handshake, { inQuery: realm.gateway.config.tokenInQuery });
  const protocol = protocolIn(handshake);
  const device = deviceIn(handshake);
  const wish = wishOf(socket);
  const malformed = !wish && triesToResume(handshake);
  scrubHandshake(handshake);
  if (protocol !== null && protocol < protocolVersionMin) throw new Rejection('client/too-old');
  const identity = await realm.gateway.verifier.verifyPlayer(token);
  if (identity.realm !== undefined && identity.realm !== realm.realm) throw new Rejection('auth/wrong-realm');
  const expected = await admitted(realm, identity, await realm.clusterLimits.admit(identity.userId));
  const characterId = expected.character?.characterId ?? null;
  const { userId, roles, expiresAtMs } = identity;
  socket.data = { userId, characterId, roles, expiresAtMs, device };
  const connectedAtMs = Date.now();
  // Whoever is gone already must not take its session away from the connection that replaced it.
  if (socket.conn.readyState !== 'open') throw new Rejection('server/unavailable');
  const pid = wish ? freshPrivateId() : privateIdOf(socket);
  const { position, party: own } = await realm.transport.connect({
    socketId: socket.id,
    userId,
    characterId,
    device,
    rooms: roomsOf(expected),
    zone: expected.character?.zone.id ?? null,
    tokenExpiresAtMs: expiresAtMs,
    connectedAtMs,
    pid,
    resume: wish,
  });
  const player = await settle(realm, socket.id, expected, identity);
  const party = own && { id: own.id, leaderId: own.leaderId, members: own.members };
  if (own?.missed) void realm.parties.settle(own.id);
  const arrival = await arrivalOf(realm, socket, { player, party: own?.id ?? null }, wish && pid);
  const reload = malformed ? 'not-recoverable' : arrival.reload;
  const session = createSession({ connectedAtMs, position, party, replay: null, ...arrival, reload, socket, userId, characterId, player });
  if (malformed) realm.transport.resumeMalformed();
  arrivals.set(socket.id, session);
}

/** What a resume makes of a connection: where it continues, or why its client has to begin anew. */
async function arrivalOf(realm: RealmContext, socket: SocketWithAuth, { player, party }: { player: Player; party: PartyId | null }, freshPid: string | null): Promise<Pick<Session, 'rooms' | 'reload'> & Partial<Session>> {
  const { rooms, resume } = await realm.transport.settle(socket.id, roomsOf(player, party), (room) => standingIn(player, party, room));
  if (resume?.recovered) return { rooms, reload: null, position: resume.offset, connectedAtMs: resume.connectedAtMs, replay: resume.replay };
  if (freshPid !== null) beginAnew(socket, freshPid);
  return { rooms, reload: resume ? resume.reason : null };
}

/**
 * The player as the database has it now, by what Redis says of changes; one that may not be here throws. Costs no query while nothing
 * has changed since the last one.
 */
async function admitted(realm: RealmContext, identity: Identity, change: PlayerChange): Promise<Player> {
  const { userId, characterId } = identity;
  if (identity.issuedAtMs < change.tokensValidFromMs) throw new Rejection('auth/revoked');
  const query = { realm: realm.realm, userId, ...(characterId === undefined ? {} : { characterId }) };
  return permitted(await realm.gateway.players.get(query, change.mark), identity);
}

/** Throws unless the token's user exists, owns the token's character, and is neither banned nor logged out since the token was issued. */
function permitted(player: Player | null, { characterId, issuedAtMs }: Identity): Player {
  if (!player) throw new Rejection('auth/invalid');
  if (isInForce(player.ban)) throw new Rejection('auth/banned');
  if (issuedAtMs < (player.tokensValidFromMs ?? 0)) throw new Rejection('auth/revoked');
  if (characterId !== undefined && player.character?.characterId !== characterId) throw new Rejection('auth/invalid');
  return player;
}

/**
 * Looks at the player once more, as of after the position from which this session is complete, until all rooms of the answer
 * are registered: a fight that began meanwhile would else be missed, or its first events; and a ban or a logout too.
 */
async function settle(realm: RealmContext, socketId: string, expected: Player, identity: Identity): Promise<Player> {
  const registered = new Set(roomsOf(expected));
  for (let round = 0; round < settleRoundsMax; round++) {
    const player = await admitted(realm, identity, await realm.changes.of(identity.userId));
    const missing = roomsOf(player).filter((room) => !registered.has(room));
    if (missing.length === 0) return player;
    await realm.transport.widen(socketId, missing);
    for (const room of missing) registered.add(room);
  }
  throw new Rejection('server/unavailable');
}

function turnAway(realm: RealmContext, socket: SocketWithAuth, rejection: Rejection, next: Next): void {
  const { code, message } = rejection;
  const { retry } = refusals[code];
  realm.gateway.metrics.report('connect-refused', { code }, { err: rejection.cause });
  if (retry !== 'never') socket.conn.close();
  next(Object.assign(new Error(message), { data: { code, message, retry } }));
}
