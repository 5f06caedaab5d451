import { defineScript } from '@skirmish/redis';
import { luaPresence, luaPresenceOf } from './presence-lua.ts';

/** Rooms (separated by spaces) and status of each user that was asked for, in their order; null for whoever is not there. */
export type Whereabouts = readonly (readonly [rooms: string, status: string] | null)[];

const luaTime = `
local t = redis.call('TIME')
local nowMs = t[1] * 1000 + math.floor(t[2] / 1000)
local goneAtMs = nowMs`;

/**
 * Where users are now, by their escaped ids; at most 100 in one call. Whoever has gone and has not been announced as gone is still where it was: the
 * answer is never ahead of the announcement that follows it.
 */
export const askPresenceScript = defineScript<readonly [prefix: string, ...users: string[]], Whereabouts>({
  name: 'ask-presence',
  lua: `
local K = ARGV[1]
${luaTime}
${luaPresence}
${luaPresenceOf}
local found = {}
for i = 2, #ARGV do
  local presence = presenceOf(ARGV[i]) or announcedOf(ARGV[i])
  found[i - 1] = presence and { presence.rooms, presence.status } or false
end
return found`,
  reply: (raw) => raw as Whereabouts,
});

/**
 * Announces up to `max` users whose grace is over: takes them, writes down what is true of them, and says so on the channel of the realm, all
 * in one step. So each change is announced once, by whichever gateway comes first, and a gateway that dies leaves nothing half done.
 * `came` and `left` are the guilds that see a member come or go. Answers how many users were taken.
 */
export const announcePresenceScript = defineScript<readonly [prefix: string, graceMs: number, max: number], number>({
  name: 'announce-presence',
  lua: `
local K, graceMs = ARGV[1], tonumber(ARGV[2])
${luaTime}
local due = redis.call('ZRANGEBYSCORE', K .. 'presence-changed', '-inf', string.format('%.0f', nowMs - graceMs), 'LIMIT', 0, ARGV[3])
if #due == 0 then return 0 end
${luaPresence}
${luaPresenceOf}
local function guildsIn(rooms, others)
  local found = {}
  for room in string.gmatch(rooms, 'guild:%S+') do
    if not string.find(' ' .. others .. ' ', ' ' .. room .. ' ', 1, true) then found[#found + 1] = room end
  end
  return table.concat(found, ' ')
end
local users = {}
for i, user in ipairs(due) do
  local before, now = announcedOf(user), presenceOf(user)
  if not now then redis.call('HDEL', K .. 'presence-announced', user)
  elseif not before or before.rooms ~= now.rooms or before.status ~= now.status then
    redis.call('HSET', K .. 'presence-announced', user, cjson.encode({ v = 1, rooms = now.rooms, status = now.status }))
  end
  local were, are = before and before.rooms or '', now and now.rooms or ''
  users[i] = { user, now and now.status or 'offline', are, guildsIn(are, were), guildsIn(were, are) }
end
redis.call('ZREM', K .. 'presence-changed', unpack(due))
redis.call('PUBLISH', K .. 'volatile:realm', cjson.encode({ v = 1, kind = 'presence', users = users }))
return #due`,
  reply: Number,
});
