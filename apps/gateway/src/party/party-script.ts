import type { RouteRefusal } from '@skirmish/emitter';
import { isRefusalCode, type PartyId, type RefusalCode, type UserId } from '@skirmish/protocol';
import { defineScript } from '@skirmish/redis';
import { luaParty, type PartyArguments } from './party-state.ts';

/** What a member, or somebody who would like to be one, wants. `name` is the one that is shown of him. */
export type PartyOperation = { readonly userId: UserId } & (
  /** `partyId`: the same for the same command. */
  | { readonly op: 'create'; readonly name: string; readonly partyId: PartyId }
  | { readonly op: 'invite'; readonly name: string; readonly target: UserId }
  | { readonly op: 'kick' | 'promote'; readonly target: UserId }
  | { readonly op: 'accept'; readonly name: string; readonly partyId: PartyId }
  | { readonly op: 'decline'; readonly partyId: PartyId }
  | { readonly op: 'leave' }
);

export type PartyReply =
  /**
   * `answer`: JSON of the acknowledgement's data. `id`: of the last event that the asking user hears of it; empty when there is none, and when another
   * gateway repeats the command, whose inbox may never get that event.
   */
  | { outcome: 'done' | 'repeated'; answer: string; id: string }
  | { outcome: 'differs' }
  | { outcome: 'rejected'; code: RefusalCode }
  | { outcome: 'refused'; reason: RouteRefusal; retryAfterMs: number };

/**
 * One command of a party. Keys: the clock, and the command's answer in the form of the lanes.
 *
 * Checks first: nothing is written before it is decided. Then state, index, joins, leaves and broadcasts, the answer last. So whoever dies before
 * the reply sends the command again and gets the same answer, and nothing happens twice or untold.
 */
export const partyScript = defineScript<PartyArguments, PartyReply>({
  name: 'party',
  lua: `
${luaParty}
local function led(o)
  local party = own(o.userId)
  if not party then return nil, { code = 'party/none' } end
  if party.leaderId ~= o.userId then return nil, { code = 'party/not-leader' } end
  return party
end
local function invited(o)
  local party = load(o.partyId)
  local untilMs = party and party.invitations[o.userId]
  if untilMs and untilMs > nowMs then return party end
end
local ops = {}
function ops.create(o)
  local party = own(o.userId)
  if party then return { answer = shown(party) } end
  local id = o.partyId
  -- Founded by the same command long ago, and others live in it.
  if redis.call('EXISTS', K .. 'party:' .. id) == 1 then id = id .. '-' .. string.format('%.0f', time[1] * 1000000 + time[2]) end
  party = { v = 1, id = id, leaderId = o.userId, members = {}, invitations = {} }
  local told = enter(party, o.userId, o.name)
  return { answer = shown(party), id = told }
end
function ops.invite(o)
  local party, rejection = led(o)
  if rejection then return rejection end
  if memberOf(party, o.target) then return { answer = shown(party) } end
  local open = 0
  for userId, untilMs in pairs(party.invitations) do if untilMs > nowMs and userId ~= o.target then open = open + 1 end end
  if #party.members >= settings.membersMax or open >= settings.invitationsMax then return { code = 'party/full' } end
  party.invitations[o.target] = nowMs + settings.invitationMs
  save(party)
  local sender = '"from":{"userId":' .. cjson.encode(o.userId) .. ',"name":' .. cjson.encode(o.name) .. '}'
  tell({ userRoom(o.target) }, 'party:invited', string.sub(shown(party), 1, -2) .. ',' .. sender .. '}')
  return { answer = shown(party) }
end
function ops.kick(o)
  local party, rejection = led(o)
  if rejection then return rejection end
  if not memberOf(party, o.target) then return { code = 'party/not-member' } end
  local told = remove(party, { [o.target] = true })
  return { answer = shown(party), id = told }
end
function ops.promote(o)
  local party, rejection = led(o)
  if rejection then return rejection end
  if not memberOf(party, o.target) then return { code = 'party/not-member' } end
  if party.leaderId == o.target then return { answer = shown(party) } end
  party.leaderId = o.target
  local told = update(party)
  return { answer = shown(party), id = told }
end
function ops.accept(o)
  local party = load(o.partyId)
  if party and memberOf(party, o.userId) then return { answer = shown(party) } end
  party = invited(o)
  if not party then return { code = 'party/not-invited' } end
  if #party.members >= settings.membersMax then return { code = 'party/full' } end
  local before = own(o.userId)
  if before then remove(before, { [o.userId] = true }) end
  local told = enter(party, o.userId, o.name)
  return { answer = shown(party), id = told }
end
function ops.decline(o)
  local party = invited(o)
  if not party then return { code = 'party/not-invited' } end
  party.invitations[o.userId] = nil
  save(party)
  return { answer = '{}' }
end
function ops.leave(o)
  local party = own(o.userId)
  if not party then return { code = 'party/none' } end
  local _, left = remove(party, { [o.userId] = true })
  return { answer = '{}', id = left }
end
local refusal = routeRefusal()
if refusal then return refusal end
local hash, ttlMs = ARGV[9], ARGV[10]
local known = redis.call('HMGET', KEYS[2], 'hash', 'answer', 'id', 'from')
if known[1] then
  if known[1] ~= hash then return { 'differs' } end
  return { 'repeated', known[2], known[4] == from and known[3] or '' }
end
local o = cjson.decode(ARGV[8])
local result = ops[o.op](o)
if result.code then return { 'rejected', result.code } end
redis.call('HSET', KEYS[2], 'hash', hash, 'answer', result.answer, 'id', result.id or '', 'from', from)
redis.call('PEXPIRE', KEYS[2], ttlMs)
return { 'done', result.answer, result.id or '' }`,
  reply: (raw) => {
    const [outcome, second = '', third = ''] = (raw as unknown[]).map(String);
    if (outcome === 'done' || outcome === 'repeated') return { outcome, answer: second, id: third };
    if (outcome === 'differs') return { outcome };
    if (outcome === 'rejected' && isRefusalCode(second)) return { outcome, code: second };
    if (outcome === 'refused') return { outcome, reason: second as RouteRefusal, retryAfterMs: Number(third) };
    throw new Error('the party script answered in an unknown form');
  },
});
