import type { PartyId, UserId } from '@skirmish/protocol';

/** The party that a user is in, when it connects. */
export interface OwnParty {
  readonly id: PartyId;
  readonly leaderId: UserId;
  readonly members: { readonly userId: UserId; readonly name: string; readonly online: boolean }[];
  /** The others have been, or would be, shown that the user is away: the party has to be looked at. */
  readonly missed: boolean;
}

/** Lua that finds the party of a user: the key of the set of sockets is `user:`, that of the party's id `party-of:`, with the same escaped id. */
export const luaPartyOf = `
local function partyIdOf(userKey) return redis.call('GET', K .. 'party-of:' .. string.sub(userKey, #K + 6)) end
local function partyOf(userKey, userId)
  local id = partyIdOf(userKey)
  local raw = id and redis.call('GET', K .. 'party:' .. id)
  local ok, party = pcall(cjson.decode, raw or '')
  if not ok or type(party.members) ~= 'table' then return nil end
  local members, self = {}, nil
  for i, member in ipairs(party.members) do
    members[i] = { userId = member.userId, name = member.name, online = member.online }
    if member.userId == userId then self = member members[i].online = true end
  end
  if self then return { id = id, leaderId = party.leaderId, members = members, missed = not self.online or self.goneSinceMs ~= nil } end
end`;
