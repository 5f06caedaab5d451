import { luaRoute } from '@skirmish/emitter';
import { luaReadParty } from '../cluster/own-party.ts';

/** Numbers of the rules of parties, as the scripts take them; times in milliseconds. */
export interface PartySettings {
  readonly membersMax: number;
  readonly invitationsMax: number;
  readonly invitationMs: number;
  /** Absence that is not shown yet. */
  readonly graceMs: number;
  /** Absence that ends a membership. */
  readonly windowMs: number;
  /** A party is looked at at least so often, also when nothing has happened to it. */
  readonly lookMs: number;
}

/** The arguments that all scripts of parties begin with. */
export type PartyArguments = readonly [
  prefix: string,
  namespace: string,
  from: string,
  epochGraceMs: number,
  inboxRetentionMs: number,
  logMs: number,
  settings: string,
  ...more: (string | number)[],
];

/**
 * Lua that keeps parties: state, index and the emissions that tell of a change, so that none of them happens without the others.
 *
 * A party is `{ v, id, leaderId, members: [{ userId, name, online, goneSinceMs? }], invitations: { userId: untilMs } }` under `party:<id>`, its members
 * have their party's id under `party-of:<user>`, and `parties` is sorted by the time of the next look. JSON that clients get is put together from
 * encoded strings: the encoder of Lua makes an object of an empty list.
 */
export const luaParty = `
local K, nsp, from = ARGV[1], ARGV[2], ARGV[3]
local graceMs, inboxRetentionMs, logMs = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local settings = cjson.decode(ARGV[7])
local time = redis.call('TIME')
local nowMs = time[1] * 1000 + math.floor(time[2] / 1000)
${luaRoute}
local function escaped(userId)
  return (string.gsub(userId, '[^A-Za-z0-9_.~-]', function(byte) return string.format('%%%02X', string.byte(byte)) end))
end
local function userRoom(userId) return 'user:' .. escaped(userId) end
local function list(texts)
  local quoted = {}
  for i, text in ipairs(texts) do quoted[i] = cjson.encode(text) end
  return '[' .. table.concat(quoted, ',') .. ']'
end
local function target(rooms) return '"opts":{"rooms":' .. list(rooms) .. ',"except":[],"flags":{}}' end
local function tell(rooms, event, payload)
  local packet = '{"type":2,"data":["' .. event .. '",' .. payload .. '],"nsp":' .. cjson.encode(nsp) .. '}'
  return (emit('3', 'rooms', '{"packet":' .. packet .. ',' .. target(rooms) .. '}', rooms, {}, logMs))
end
local function move(kind, users, room)
  return (emit(kind, 'rooms', '{' .. target(users) .. ',"rooms":' .. list({ room }) .. '}', users, { room }, logMs))
end
local function shown(party)
  local members = {}
  for i, member in ipairs(party.members) do
    members[i] = '{"userId":' .. cjson.encode(member.userId) .. ',"name":' .. cjson.encode(member.name) .. ',"online":' .. tostring(member.online) .. '}'
  end
  return '{"party":{"id":' .. cjson.encode(party.id) .. ',"leaderId":' .. cjson.encode(party.leaderId) .. ',"members":[' .. table.concat(members, ',') .. ']}}'
end
${luaReadParty}
local function load(id)
  local party, unreadable = nil, false
  if id then party, unreadable = readParty(id) end
  if unreadable then error('a party that cannot be read') end
  return party
end
local function memberOf(party, userId)
  for _, member in ipairs(party.members) do if member.userId == userId then return member end end
end
local function own(userId)
  local party = load(redis.call('GET', K .. 'party-of:' .. escaped(userId)))
  if party and memberOf(party, userId) then return party end
end
-- When time alone will change something.
local function dueMs(party)
  local due = nowMs + settings.lookMs
  for _, member in ipairs(party.members) do
    if member.goneSinceMs then
      if member.online then due = math.min(due, member.goneSinceMs + settings.graceMs) end
      due = math.min(due, member.goneSinceMs + settings.windowMs)
    end
  end
  return string.format('%.0f', due)
end
local function save(party)
  for userId, untilMs in pairs(party.invitations) do if untilMs <= nowMs then party.invitations[userId] = nil end end
  redis.call('SET', K .. 'party:' .. party.id, cjson.encode(party))
  redis.call('ZADD', K .. 'parties', dueMs(party), party.id)
end
local function update(party)
  save(party)
  return tell({ 'party:' .. party.id }, 'party:updated', shown(party))
end
local function enter(party, userId, name)
  party.members[#party.members + 1] = { userId = userId, name = name, online = true }
  party.invitations[userId] = nil
  redis.call('SET', K .. 'party-of:' .. escaped(userId), party.id)
  move('4', { userRoom(userId) }, 'party:' .. party.id)
  return update(party)
end
local function successor(members)
  for _, member in ipairs(members) do if member.online then return member.userId end end
  return members[1].userId
end
-- Who goes is in the room until after the last word. Answers the ids of that and of the leave.
local function remove(party, leaving)
  local rest, rooms, told = {}, {}, nil
  for _, member in ipairs(party.members) do
    if leaving[member.userId] then
      redis.call('DEL', K .. 'party-of:' .. escaped(member.userId))
      rooms[#rooms + 1] = userRoom(member.userId)
    else rest[#rest + 1] = member end
  end
  party.members = rest
  if #rest == 0 then
    redis.call('DEL', K .. 'party:' .. party.id)
    redis.call('ZREM', K .. 'parties', party.id)
    told = tell(rooms, 'party:disbanded', '{"partyId":' .. cjson.encode(party.id) .. '}')
  else
    if leaving[party.leaderId] then party.leaderId = successor(rest) end
    told = update(party)
  end
  return told, move('5', rooms, 'party:' .. party.id)
end
-- Since when a user without a socket is away (nil: longer than is known), and whether it is announced as gone, or due to be: a party says what presence says.
local function absenceOf(userId)
  local user = escaped(userId)
  local notedMs = tonumber(redis.call('ZSCORE', K .. 'presence-changed', user) or nil)
  if not notedMs then return nil, redis.call('HEXISTS', K .. 'presence-announced', user) == 0 end
  return notedMs > 0 and math.min(notedMs, nowMs) or nil, nowMs - notedMs >= settings.graceMs
end
-- Compares with who is there; answers whether the members have something to hear.
local function settle(party)
  local changed, leaving, ended = false, {}, false
  for _, member in ipairs(party.members) do
    if redis.call('EXISTS', K .. 'user:' .. escaped(member.userId)) == 1 then
      changed = changed or not member.online
      member.goneSinceMs, member.online = nil, true
    else
      local sinceMs, isGone = absenceOf(member.userId)
      -- An absence that nobody looked at the end of is another one.
      member.goneSinceMs = math.max(member.goneSinceMs or sinceMs or nowMs, sinceMs or 0)
      local goneMs = nowMs - member.goneSinceMs
      if member.online and (isGone or goneMs >= settings.graceMs) then member.online, changed = false, true end
      if goneMs >= settings.windowMs then leaving[member.userId], ended = true, true end
    end
  end
  if ended then remove(party, leaving)
  elseif changed then update(party)
  else save(party) end
  return ended or changed
end
`;
