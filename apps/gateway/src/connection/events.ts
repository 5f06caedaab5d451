import { defaultRateOf } from '@skirmish/protocol';
import type { ClientEventName } from '@skirmish/protocol';
import { onMove } from '../character/on-move.ts';
import { onStatus } from '../character/on-status.ts';
import { unmutedMembers } from '../chat/channel-access.ts';
import { onSend, speakers } from '../chat/on-send.ts';
import { onTyping } from '../chat/on-typing.ts';
import { onAct, participants } from '../combat/on-act.ts';
import { onStart, withOpponentsHere } from '../combat/on-start.ts';
import { onAccept } from '../party/on-accept.ts';
import { onCreate } from '../party/on-create.ts';
import { onData } from '../party/on-data.ts';
import { onDecline } from '../party/on-decline.ts';
import { onInvite } from '../party/on-invite.ts';
import { onKick } from '../party/on-kick.ts';
import { onLeave } from '../party/on-leave.ts';
import { onPromote } from '../party/on-promote.ts';
import { notOneself, partyMembers } from '../party/party-access.ts';
import { onUnwatch } from '../presence/on-unwatch.ts';
import { onWatch } from '../presence/on-watch.ts';
import { onPing } from '../session/on-ping.ts';
import { onRefresh } from '../session/on-refresh.ts';
import { onRoster } from '../zone/on-roster.ts';
import { inOwnZone } from '../zone/own-zone.ts';
import { anyone, decidedWithTheEffect, type EventRow } from './event-row.ts';

/** A row for each event that is answered; any other name is `event/unknown`. */
export type EventTable = { readonly [E in ClientEventName]?: EventRow<E> };

/**
 * Every event that this gateway answers: its limit per user (times `RATE_LIMIT_SCALE`), whether it waits for its turn, who may
 * send it, and who handles it. The schema of each payload is the one of the same name in `packages/protocol`.
 */
export const events = {
  'session:ping': { limit: defaultRateOf('session:ping'), order: 'at-once', may: anyone, handle: onPing },
  'session:refresh': { limit: defaultRateOf('session:refresh'), order: 'at-once', may: anyone, handle: onRefresh },
  'chat:send': { limit: defaultRateOf('chat:send'), order: 'in-turn', may: speakers, handle: onSend },
  'chat:typing': { limit: defaultRateOf('chat:typing'), order: 'at-once', may: unmutedMembers, handle: onTyping },
  'character:move': { limit: defaultRateOf('character:move'), order: 'at-once', may: anyone, handle: onMove },
  'character:status': { limit: defaultRateOf('character:status'), order: 'in-turn', may: decidedWithTheEffect, handle: onStatus },
  'zone:roster': { limit: defaultRateOf('zone:roster'), order: 'at-once', may: inOwnZone, handle: onRoster },
  'combat:start': { limit: defaultRateOf('combat:start'), order: 'in-turn', may: withOpponentsHere, handle: onStart },
  'combat:act': { limit: defaultRateOf('combat:act'), order: 'in-turn', may: participants, handle: onAct },
  'party:create': { limit: defaultRateOf('party:create'), order: 'in-turn', may: anyone, handle: onCreate },
  'party:invite': { limit: defaultRateOf('party:invite'), order: 'in-turn', may: decidedWithTheEffect, handle: onInvite },
  'party:kick': { limit: defaultRateOf('party:kick'), order: 'in-turn', may: notOneself, handle: onKick },
  'party:promote': { limit: defaultRateOf('party:promote'), order: 'in-turn', may: decidedWithTheEffect, handle: onPromote },
  'party:accept': { limit: defaultRateOf('party:accept'), order: 'in-turn', may: decidedWithTheEffect, handle: onAccept },
  'party:decline': { limit: defaultRateOf('party:decline'), order: 'in-turn', may: decidedWithTheEffect, handle: onDecline },
  'party:leave': { limit: defaultRateOf('party:leave'), order: 'in-turn', may: decidedWithTheEffect, handle: onLeave },
  'party:data': { limit: defaultRateOf('party:data'), order: 'at-once', may: partyMembers, handle: onData },
  'presence:watch': { limit: defaultRateOf('presence:watch'), order: 'in-turn', may: decidedWithTheEffect, handle: onWatch },
  'presence:unwatch': { limit: defaultRateOf('presence:unwatch'), order: 'in-turn', may: anyone, handle: onUnwatch },
} as const satisfies EventTable;
