import { luaRecordLost } from '@skirmish/backend-events';
import { defineScript, luaReadClock } from '@skirmish/redis';
import { luaDepart, luaOperations, luaPassSeatOn } from './directory-operations.ts';
import { luaPresence } from '../presence/presence-lua.ts';
import { luaPartyOf, luaReadParty } from './own-party.ts';
import { luaSessions } from './session-script.ts';

export type DirectoryReply =
  | { state: 'dead' }
  /**
   * `clock`: every emission routed later has a greater id. `crowds`: sockets of users who have more than `socketsMax`. `kept`: rooms not
   * removed, because a join is unread. `answers`: by socket and room, to `reserve` a boolean; by socket, to a `connect` what became of a wish to resume, and the party.
   */
  | { state: 'ok'; clock: string; crowds: Map<string, string[]>; kept: Set<string>; answers: Map<string, unknown> };

/**
 * Applies a batch of changes in one step. Values are absolute (an entry is there or not), so a batch whose outcome is unknown may be
 * sent again. The revision tells at the next renewal whether this data set has seen the batch.
 */
export const directoryScript = defineScript<
  readonly [
    prefix: string,
    incarnation: string,
    revision: number,
    socketsMax: number,
    operations: string,
    position: string,
    sessionTtlMs: number,
    windowMs: number,
    retentionMs: number,
  ],
  DirectoryReply
>({
  name: 'directory',
  lua: `
local K, incarnation, socketsMax = ARGV[1], ARGV[2], tonumber(ARGV[4])
local sessionTtlMs, windowMs, retentionMs = ARGV[7], ARGV[8], tonumber(ARGV[9])
if redis.call('HEXISTS', K .. 'gateways', incarnation) == 0 then return { 'dead' } end
if tonumber(redis.call('HGET', K .. 'revisions', incarnation) or '-1') > tonumber(ARGV[3]) then
  return redis.error_reply('ERR a newer batch was applied already')
end
${luaReadClock}
local t = redis.call('TIME')
local nowMs = t[1] * 1000 + math.floor(t[2] / 1000)
${luaSessions}
local goneAtMs = nowMs
${luaPresence}
${luaPassSeatOn}
${luaReadParty}
${luaPartyOf}
${luaDepart}
${luaRecordLost}
${luaOperations}
for _, o in ipairs(cjson.decode(ARGV[5])) do ops[o.op](o) end
redis.call('HSET', K .. 'revisions', incarnation, ARGV[3])
return { 'ok', clockId, crowds, kept, answers }`,
  reply: (raw) => {
    const [state, clock, crowds, kept, answers] = raw as [string, string?, (string | string[])[]?, string[]?, string[]?];
    if (state === 'dead') return { state };
    if (state !== 'ok') throw new Error('the directory answered in an unknown form');
    const told = new Map([...pairsOf(answers ?? [])].map(([socketId, value]) => [socketId, JSON.parse(value) as unknown]));
    return { state, clock: clock ?? '0-0', crowds: crowdsOf(crowds ?? []), kept: new Set(kept), answers: told };
  },
});

const crowdsOf = (flat: readonly (string | string[])[]): Map<string, string[]> =>
  new Map([...pairsOf(flat)].map(([socketId, sockets]) => [socketId, Array.isArray(sockets) ? sockets : []]));

/** What Lua returns as a list of key, value, key, value, … */
function pairsOf<T>(flat: readonly T[]): Map<string, T> {
  const pairs = new Map<string, T>();
  for (const [i, value] of flat.entries()) if (i % 2 === 1) pairs.set(String(flat[i - 1]), value);
  return pairs;
}
