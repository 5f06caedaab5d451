export { type Acknowledgement, accepted, type Refusal, refusalSchema, refused } from './acknowledgement.ts';
export {
  type BackendEventData,
  type BackendEventName,
  backendEventNames,
  backendEvents,
  type BackendRecord,
  type DisconnectReason,
  disconnectReasons,
  parseBackendRecord,
} from './backend-events.ts';
export { type Emote, emotes } from './character.ts';
export { type Channel, type ChannelKind, channelSchema, type ChatMessage, chatMessageSchema } from './chat.ts';
export { chatTextSchema } from './chat-text.ts';
export {
  type ClientAnswer,
  type ClientEventName,
  clientEventNames,
  clientEvents,
  type ClientPayload,
  type ClientPayloadInput,
  type ClientToServerEvents,
  isClientEventName,
  parseClientPayload,
} from './client-events.ts';
export {
  type Combatant,
  type CombatAction,
  combatActionKinds,
  combatActionSchema,
  type CombatEffect,
  type CombatLogEntry,
  combatLogEntrySchema,
  type CombatState,
  combatStateSchema,
} from './combat-events.ts';
export {
  type AbilityId,
  abilityIdSchema,
  type CharacterId,
  characterIdSchema,
  type CombatId,
  combatIdSchema,
  type CommandId,
  commandIdSchema,
  type EncounterId,
  encounterIdSchema,
  type GuildId,
  guildIdSchema,
  type IncarnationId,
  incarnationIdSchema,
  isUserId,
  type MessageId,
  messageIdSchema,
  type PartyId,
  partyIdSchema,
  type RealmId,
  realmIdSchema,
  type ReportId,
  reportIdSchema,
  type UserId,
  userIdSchema,
  type ZoneId,
  zoneIdSchema,
} from './ids.ts';
export {
  appEventNameLengthMax,
  appPayloadBytesMax,
  combatantsMax,
  combatLogLimitDefault,
  combatLogLimitMax,
  combatTurnMax,
  commandMemoryMs,
  duplicateTextsMax,
  duplicateWindowMs,
  facingRadiansMax,
  framesPerSecondMax,
  historyLimitDefault,
  historyLimitMax,
  idLengthMax,
  messageLengthMax,
  nameLengthMax,
  partyDataBytesMax,
  partyDataKindLengthMax,
  partyInvitationMs,
  partyInvitationsMax,
  partyMembersMax,
  presenceGraceMs,
  presenceUserIdsMax,
  protocolVersion,
  protocolVersionMin,
  reasonLengthMax,
  roomsOfSocketMax,
  socketsPerUserMax,
  textBytesMax,
  textGraphemesMax,
  tokenLengthMax,
  userIdBytesMax,
  zoneRosterMax,
  zoneTickCharactersMax,
} from './limits.ts';
export { sanctionKinds } from './moderation.ts';
export { type Party, partySchema } from './party.ts';
export { type Presence, presenceSchema } from './presence.ts';
export { defaultRateOf, type Rate } from './rates.ts';
export { isRefusalCode, type RefusalCode, refusalCodes, type RefusalEntry, refusals, type Retry } from './refusals.ts';
export { Rejection, type RejectionDetails } from './rejection.ts';
export { escapeUserId, isRoomName, namespaceOf, parseRoom, type Room, type RoomKind, roomKinds, type RoomName, roomOf, unescapeUserId } from './rooms.ts';
export {
  type AppEventName,
  type DeliveryClass,
  deliveryClasses,
  deliveryClassOf,
  isAppEventName,
  isServerEventName,
  parseServerPayload,
  type ReceivedServerEvents,
  serverEventNames,
  serverEvents,
  type ServerEventName,
  type ServerPayload,
  type ServerPayloadInput,
  type ServerToClientEvents,
} from './server-events.ts';
export { reloadReasons } from './session.ts';
export { type CharacterSeen, characterSeenSchema, type CharacterStatus, characterStatuses, characterStatusSchema, type Person, personSchema } from './shapes.ts';
