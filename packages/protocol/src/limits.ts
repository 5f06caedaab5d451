/** Every number of the contract: sizes, counts and default rates. A limit that is reached has a named refusal. */

export const protocolVersion = 1;
export const protocolVersionMin = 1;

export const idLengthMax = 64;
export const userIdBytesMax = 128;
export const tokenLengthMax = 8_192;
export const nameLengthMax = 64;
export const reasonLengthMax = 500;
export const messageLengthMax = 500;

export const textGraphemesMax = 500;
export const textBytesMax = 2_000;
export const historyLimitMax = 50;
export const historyLimitDefault = 50;

export const combatLogLimitMax = 200;
export const combatLogLimitDefault = 200;
export const combatantsMax = 16;
export const combatTurnMax = 1_000_000;

export const partyMembersMax = 8;
/** Invitations of one party that are open at a time. */
export const partyInvitationsMax = 16;
export const partyInvitationMs = 60_000;
export const partyDataBytesMax = 32 * 1024;
export const partyDataKindLengthMax = 32;

export const presenceUserIdsMax = 100;
export const presenceGraceMs = 5_000;
export const appPayloadBytesMax = 32 * 1024;
export const appEventNameLengthMax = 64;

export const facingRadiansMax = 1_000;
export const zoneRosterMax = 500;
export const zoneTickCharactersMax = 5_000;
export const roomsOfSocketMax = 200;

export const commandMemoryMs = 600_000;
export const socketsPerUserMax = 5;
export const framesPerSecondMax = 200;
export const duplicateTextsMax = 3;
export const duplicateWindowMs = 10_000;
