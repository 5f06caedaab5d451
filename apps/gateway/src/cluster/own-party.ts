import type { PartyId, UserId } from '@skirmish/protocol';

/** The party that a user is in, when it connects. */
export interface OwnParty {
  readonly id: PartyId;
  readonly leaderId: UserId;
  readonly members: { readonly userId: UserId; readonly name: string; readonly online: boolean }[];
  /** The others have been, or would be, shown that the user is away: the party has to be looked at. */
  readonly missed: boolean;
}

/** Version of the stored form of a party. */
const partyVersion = 1;

/**
 * Lua that reads a stored party: `readParty(id)` answers it, or nil when there is none, or nil and true when a newer version or nobody can read it.
 * Whoever gets one finds every field that the form has, of the right type: nothing can fail at it after a first write. Needs `K`.
 */
export const luaReadParty = `
local function isPartyMember(member)
  return type(member) == 'table' and type(member.userId) == 'string' and type(member.name) == 'string' and type(member.online) == 'boolean'
    and (member.goneSinceMs == nil or type(member.goneSinceMs) == 'number')
end
local function isParty(party, id)
  if type(party) ~= 'table' or type(party.v) ~= 'number' or party.v > ${partyVersion} or party.id ~= id or type(party.leaderId) ~= 'string' then return false end
  if type(party.members) ~= 'table' or #party.members == 0 or type(party.invitations) ~= 'table' then return false end
  for _, member in ipairs(party.members) do if not isPartyMember(member) then return false end end
  for _, untilMs in pairs(party.invitations) do if type(untilMs) ~= 'number' then return false end end
  return true
end
local function readParty(id)
  local raw = redis.call('GET', K .. 'party:' .. id)
  if not raw then return nil end
  local ok, party = pcall(cjson.decode, raw)
  if ok and isParty(party, id) then return party end
  return nil, true
end
`;

/** Lua that finds the party of a user: the key of the set of sockets is `user:`, that of the party's id `party-of:`, with the same escaped id. Needs `luaReadParty`. */
export const luaPartyOf = `
local function partyIdOf(userKey) return redis.call('GET', K .. 'party-of:' .. string.sub(userKey, #K + 6)) end
local function partyOf(userKey, userId)
  local id = partyIdOf(userKey)
  local party = id and readParty(id)
  if not party then return nil end
  local members, self = {}, nil
  for i, member in ipairs(party.members) do
    members[i] = { userId = member.userId, name = member.name, online = member.online }
    if member.userId == userId then self = member members[i].online = true end
  end
  if self then return { id = id, leaderId = party.leaderId, members = members, missed = not self.online or self.goneSinceMs ~= nil } end
end`;
