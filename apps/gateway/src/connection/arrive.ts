import type { RealmContext } from '../context.ts';
import { allFeatures } from '../limits/ladder.ts';
import { tellArrived, tellDeparted } from '../session/tell-backends.ts';
import { welcome } from '../session/welcome.ts';
import { claimantOf } from '../zone/claimant.ts';
import type { Arrivals } from './authenticate.ts';
import { createDispatch } from './dispatch.ts';
import type { EventTable } from './events.ts';
import { cutOf } from './packet-guard.ts';
import { emitDirect } from './redis-adapter.ts';
import { isResumable } from './resume-wish.ts';
import type { Session, SocketWithAuth } from './session.ts';

/** Time in which what a resume sends a socket is beside its budgets, milliseconds. */
const replayMsMax = 30_000;

/**
 * Makes the listener for sockets that joined the realm. All in one turn: welcome, rooms, zone, listeners, so that nothing comes
 * before the welcome and nothing is missed after it. The listeners are the same functions for all sockets.
 */
export function createArrive(realm: RealmContext, arrivals: Arrivals, table: EventTable): (socket: SocketWithAuth) => void {
  const dispatch = createDispatch(realm, table);
  const { metrics, logger } = realm.gateway;

  function depart(this: SocketWithAuth, reason: string): void {
    const session = realm.sessions.remove(this.id);
    if (!session) return;
    realm.gateway.tokens.forget(session);
    if (cutOf(this.client) === 'flood') realm.gateway.strikes.count(session.userId, allFeatures, realm.gateway.config.strikesPerFlood);
    realm.presence.forget(this.id);
    const claimant = claimantOf(session);
    if (claimant && session.player.character) realm.zones.leave(session.player.character.zone.id, claimant);
    realm.transport.disconnected(this.id, isResumable(reason));
    tellDeparted(realm, session, reason);
    const { userId, socketId } = session;
    metrics.report('socket-disconnected', { realm: realm.realm, reason }, { userId, socketId, lastedMs: Date.now() - session.connectedAtMs });
  }

  return (socket) => {
    const session = arrivals.get(socket.id);
    arrivals.delete(socket.id);
    if (!session) {
      socket.conn.close();
      return;
    }
    realm.sessions.add(session);
    realm.reread.arrived(session);
    realm.gateway.tokens.follow(session);
    realm.gateway.overload.slow.follow(socket);
    // What it missed comes at once, and it needs time to read that; whatever else waits for it counts as always.
    if (session.replay) realm.gateway.overload.slow.exempt(socket.conn, session.replay, replayMsMax);
    socket.onAny(dispatch);
    socket.on('disconnect', depart);
    Promise.resolve(socket.join([...session.rooms])).catch((err: unknown) => {
      // Without its rooms a socket would be deaf, and nobody would notice.
      logger.error({ err, userId: session.userId }, 'a socket could not join its rooms');
      socket.conn.close();
    });
    const snapshot = enterZone(realm, session);
    welcome(realm, session);
    realm.mail.welcomed(session);
    if (snapshot) emitDirect(socket, 'zone:tick', snapshot());
    tellArrived(realm, session);
    metrics.connectSeconds.observe((Date.now() - socket.handshake.issued) / 1000);
    const { userId, characterId, socketId } = session;
    metrics.report('socket-connected', { realm: realm.realm, transport: socket.conn.transport.name }, { userId, characterId, socketId });
  };
}

function enterZone(realm: RealmContext, session: Session): (() => object) | null {
  const claimant = claimantOf(session);
  if (!claimant || !session.player.character) return null;
  const zone = realm.zones.enter(session.player.character.zone, claimant);
  return () => realm.zones.snapshot(zone);
}
