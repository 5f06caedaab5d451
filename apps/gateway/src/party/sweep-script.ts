import { defineScript } from '@skirmish/redis';
import { luaParty, type PartyArguments } from './party-state.ts';

export interface Swept {
  /** Parties that were looked at; less than the page: no further one is due. */
  readonly looked: number;
  /** Those whose members were told something. */
  readonly changed: number;
  /** Entries that nobody can read, or that name no party. */
  readonly unreadable: number;
}

/**
 * Looks at parties: at the one that is named, else at a page of those that are due. What has changed is told by one `party:updated` each; whoever has
 * been away for the window is removed. May be called by all gateways at once: each call is one step, and a look at what was looked at already changes nothing.
 * A party that cannot be read is looked at again later, when a newer version may have gone.
 */
export const sweepScript = defineScript<PartyArguments, Swept>({
  name: 'partySweep',
  lua: `
${luaParty}
if routeRefusal() then return { 0, 0, 0 } end
local partyId, page = ARGV[8], tonumber(ARGV[9])
local ids = partyId ~= '' and { partyId } or redis.call('ZRANGEBYSCORE', K .. 'parties', '-inf', string.format('%.0f', nowMs), 'LIMIT', 0, page)
local changed, unreadable = 0, 0
for _, id in ipairs(ids) do
  local ok, party = pcall(load, id)
  if ok and party then
    if settle(party) then changed = changed + 1 end
  elseif ok then
    redis.call('ZREM', K .. 'parties', id)
  else
    unreadable = unreadable + 1
    redis.call('ZADD', K .. 'parties', 'XX', string.format('%.0f', nowMs + settings.lookMs), id)
  end
end
return { #ids, changed, unreadable }`,
  reply: (raw) => {
    const [looked = 0, changed = 0, unreadable = 0] = (raw as unknown[]).map(Number);
    return { looked, changed, unreadable };
  },
});
