import { luaRecordLost } from '@skirmish/backend-events';
import { defineScript, luaDrawClock, luaReadClock } from '@skirmish/redis';
import { luaPresence } from '../presence/presence-lua.ts';
import { luaDepart, luaPassSeatOn } from './directory-operations.ts';
import { luaPartyOf, luaReadParty } from './own-party.ts';

/** What the registry knows of one incarnation; version 1 of the record. */
export interface RegistryRecord {
  v: number;
  address: string;
  renewedAtMs: number;
  /** Counts renewals; what does not grow is dead. */
  renewals: number;
  complete: 0 | 1;
  /** Realm-clock id up to which its reader has delivered. */
  position: string;
  sockets: number;
  version: string;
  draining: 0 | 1;
}

const strings = (raw: unknown): string[] => (Array.isArray(raw) ? raw.map(String) : []);

/**
 * Enters an incarnation: fresh inbox, registry record, not complete. Begins an epoch when the data set has none.
 * The inbox opens with an entry for nobody, whose id is the position to read from.
 */
export const registerScript = defineScript<
  readonly [prefix: string, incarnation: string, address: string, version: string, newEpochId: string, revision: number],
  { epoch: string; position: string }
>({
  name: 'register',
  lua: `
local K, incarnation = ARGV[1], ARGV[2]
${luaDrawClock}
local epoch = redis.call('GET', K .. 'epoch')
if not epoch then
  epoch = ARGV[5] .. ' ' .. string.format('%.0f', nowMs)
  redis.call('SET', K .. 'epoch', epoch)
end
redis.call('DEL', K .. 'inbox:' .. incarnation)
redis.call('XADD', K .. 'inbox:' .. incarnation, id, 'v', '1', 'type', '0')
redis.call('HSET', K .. 'gateways', incarnation, cjson.encode({
  v = 1, address = ARGV[3], renewedAtMs = nowMs, renewals = 0, complete = 0, position = id, sockets = 0,
  version = ARGV[4], draining = 0 }))
redis.call('SADD', K .. 'incomplete', incarnation)
redis.call('HSET', K .. 'revisions', incarnation, ARGV[6])
redis.call('SREM', K .. 'gapped', incarnation)
redis.call('SREM', K .. 'condemned', incarnation)
return { epoch, id }`,
  reply: (raw) => {
    const [epoch = '', position = ''] = strings(raw);
    return { epoch, position };
  },
});

export type Renewal =
  | { state: 'ok'; nowMs: number; records: Map<string, RegistryRecord>; condemned: string[] }
  /** `lost`: another or no data set; `stale`: directory writes are missing; `gapped`: an entry is missing; `dead`: condemned. */
  | { state: 'lost' | 'stale' | 'gapped' | 'dead' };

/**
 * Renews an incarnation and tells what it has to know: who else is there, and whether its own place is still true.
 * A reader position ahead of the clock means that this data set is older than what was delivered: the clock is raised over it and a
 * new epoch begins, which every gateway notices at its next renewal.
 */
export const renewScript = defineScript<
  readonly [
    prefix: string,
    incarnation: string,
    epoch: string,
    position: string,
    revision: number,
    sockets: number,
    draining: 0 | 1,
    newEpochId: string,
    inboxRetentionMs: number,
  ],
  Renewal
>({
  name: 'renew',
  lua: `
local K, incarnation = ARGV[1], ARGV[2]
local epoch = redis.call('GET', K .. 'epoch')
if not epoch or epoch ~= ARGV[3] then return { 'lost' } end
local encoded = redis.call('HGET', K .. 'gateways', incarnation)
if not encoded then return { 'dead' } end
local t = redis.call('TIME')
local nowMs = t[1] * 1000 + math.floor(t[2] / 1000)
${luaReadClock}
local posMs, posSeq = string.match(ARGV[4], '^(%d+)-(%d+)$')
local clockMs, clockSeq = tonumber(clock[1] or '0'), tonumber(clock[2] or '0')
local ahead = tonumber(posMs) > clockMs or (tonumber(posMs) == clockMs and tonumber(posSeq) > clockSeq)
-- Somebody may have emitted since, and the clock follows the time: what was delivered lately is in the inbox, or was never written here.
local inbox = K .. 'inbox:' .. incarnation
local gone = tonumber(posMs) > nowMs - tonumber(ARGV[9]) / 2 and redis.call('EXISTS', inbox) == 1 and #redis.call('XRANGE', inbox, ARGV[4], ARGV[4]) == 0
if ahead or gone then
  if ahead then redis.call('HSET', K .. 'clock', 'ms', posMs, 'seq', posSeq) end
  redis.call('SET', K .. 'epoch', ARGV[8] .. ' ' .. string.format('%.0f', nowMs))
  return { 'lost' }
end
if tonumber(redis.call('HGET', K .. 'revisions', incarnation) or '-1') < tonumber(ARGV[5]) then return { 'stale' } end
if redis.call('SISMEMBER', K .. 'gapped', incarnation) == 1 then return { 'gapped' } end
if redis.call('EXISTS', K .. 'inbox:' .. incarnation) == 0 then return { 'stale' } end
local record = cjson.decode(encoded)
record.renewedAtMs, record.renewals, record.complete = nowMs, record.renewals + 1, 1
record.position, record.sockets, record.draining = ARGV[4], tonumber(ARGV[6]), tonumber(ARGV[7])
redis.call('HSET', K .. 'gateways', incarnation, cjson.encode(record))
-- An entry for nobody: the reader's position, which clients come back with, stays young when nothing is emitted.
${luaDrawClock}
local minId = string.format('%.0f', math.max(nowMs - tonumber(ARGV[9]), 0))
local marked = redis.pcall('XADD', inbox, 'NOMKSTREAM', 'MINID', '~', minId, id, 'v', '1', 'type', '0')
if type(marked) == 'table' and marked.err then redis.call('SADD', K .. 'gapped', incarnation) end
redis.call('SREM', K .. 'incomplete', incarnation)
return { 'ok', string.format('%.0f', nowMs), redis.call('HGETALL', K .. 'gateways'), redis.call('SMEMBERS', K .. 'condemned') }`,
  reply: (raw) => {
    const [state, nowMs, records, condemned] = raw as [string, string?, string[]?, string[]?];
    if (state === 'ok') return { state, nowMs: Number(nowMs), records: parseRecords(records ?? []), condemned: strings(condemned) };
    if (state === 'lost' || state === 'stale' || state === 'gapped' || state === 'dead') return { state };
    throw new Error('the renewal answered in an unknown form');
  },
});

/** Records of a newer version than this code are read as far as the fields are known; damaged ones are left out. */
export function parseRecords(pairs: string[]): Map<string, RegistryRecord> {
  const records = new Map<string, RegistryRecord>();
  for (let i = 0; i + 1 < pairs.length; i += 2) {
    try {
      const record = JSON.parse(pairs[i + 1] ?? '') as RegistryRecord;
      if (typeof record.renewals === 'number') records.set(pairs[i] ?? '', record);
    } catch {
      // A damaged record is nobody's gateway; the reaper of its owner's entries is its owner.
    }
  }
  return records;
}

/** Condemns an incarnation that has not renewed since `renewals` was seen; 1 when done, 0 when it was alive or gone. */
export const condemnScript = defineScript<readonly [prefix: string, incarnation: string, renewals: number], boolean>({
  name: 'condemn',
  lua: `
local K, incarnation = ARGV[1], ARGV[2]
local encoded = redis.call('HGET', K .. 'gateways', incarnation)
if not encoded or cjson.decode(encoded).renewals ~= tonumber(ARGV[3]) then return 0 end
redis.call('HDEL', K .. 'gateways', incarnation)
redis.call('HDEL', K .. 'revisions', incarnation)
redis.call('SREM', K .. 'incomplete', incarnation)
redis.call('SREM', K .. 'gapped', incarnation)
redis.call('SADD', K .. 'condemned', incarnation)
redis.call('UNLINK', K .. 'inbox:' .. incarnation)
return 1`,
  reply: (raw) => raw === 1,
});

/** Takes an incarnation out at its own wish: registry, inbox, marks. What it entered elsewhere is swept before or after. */
export const resignScript = defineScript<readonly [prefix: string, incarnation: string], void>({
  name: 'resign',
  lua: `
local K, incarnation = ARGV[1], ARGV[2]
redis.call('HDEL', K .. 'gateways', incarnation)
redis.call('HDEL', K .. 'revisions', incarnation)
redis.call('SREM', K .. 'incomplete', incarnation)
redis.call('SREM', K .. 'gapped', incarnation)
redis.call('SADD', K .. 'condemned', incarnation)
redis.call('UNLINK', K .. 'inbox:' .. incarnation)
return 1`,
  reply: () => undefined,
});

/**
 * Removes up to `max` directory entries and `max` sockets of an incarnation; true when nothing is left.
 * Short steps, so that Redis serves others between them; a sweeper that dies is followed by another one.
 */
export const sweepScript = defineScript<readonly [prefix: string, incarnation: string, max: number, whose: 'own' | 'dead'], boolean>({
  name: 'sweep',
  lua: `
local K, incarnation, max = ARGV[1], ARGV[2], tonumber(ARGV[3])
if ARGV[4] == 'dead' and redis.call('HEXISTS', K .. 'gateways', incarnation) == 1 then return 1 end
local t = redis.call('TIME')
local nowMs = t[1] * 1000 + math.floor(t[2] / 1000)
-- Whoever is condemned was silent for longer than a grace: nobody waits once more.
local goneAtMs = ARGV[4] == 'dead' and 0 or nowMs
${luaPresence}
${luaPassSeatOn}
${luaReadParty}
${luaPartyOf}
${luaDepart}
${luaRecordLost}
local rooms = redis.call('SPOP', K .. 'rooms-of:' .. incarnation, max)
for _, room in ipairs(rooms) do redis.call('SREM', K .. 'room:' .. room, incarnation) end
local sockets = redis.call('HRANDFIELD', K .. 'sockets-of:' .. incarnation, max, 'WITHVALUES')
for i = 1, #sockets, 2 do
  local entry = cjson.decode(sockets[i + 1])
  if depart(incarnation, sockets[i], entry) then passSeatOn(entry) end
  if ARGV[4] == 'dead' then recordLost(incarnation, sockets[i], entry, 'gateway-lost') end
end
if #rooms == max or #sockets == 2 * max then return 0 end
redis.call('SREM', K .. 'condemned', incarnation)
return 1`,
  reply: (raw) => raw === 1,
});
