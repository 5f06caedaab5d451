import { defineScript, type Redis } from '@skirmish/redis';

/** A part of the log of one room: entries after the first id, up to and with the second. */
export interface LogRange {
  readonly key: string;
  readonly after: string;
  readonly upTo: string;
}

export interface LogPage {
  /** Ids with the JSON of their events, range by range. */
  readonly entries: readonly (readonly [id: string, data: string])[];
  /** What is still to be read. */
  readonly rest: readonly LogRange[];
}

/** Most ranges that one page looks into. */
const rangesMax = 100;
/** Read by one command within a page; one entry has 64 KiB of JSON at most, so a page exceeds its bytes by 20 of them at most. */
const chunkEntries = 20;

/**
 * Lua that reads the ranges in turn and ends after so many entries, or after the chunk that goes over so many bytes: a count alone does not bound
 * what comes, and Redis has no range by bytes. Answers how many ranges are done, the last id read in the one that is not, and the entries.
 */
const pageScript = defineScript<readonly [entriesMax: number, bytesMax: number, ...afterThenUpTo: string[]], { done: number; after: string; flat: string[] }>({
  name: 'log-page',
  lua: `
local left, bytesLeft = tonumber(ARGV[1]), tonumber(ARGV[2])
local flat = {}
for i, key in ipairs(KEYS) do
  local after, upTo, more = ARGV[2 * i + 1], ARGV[2 * i + 2], true
  while more do
    if left <= 0 or bytesLeft <= 0 then return { i - 1, after, flat } end
    local count = math.min(left, ${chunkEntries})
    local entries = redis.call('XRANGE', key, '(' .. after, upTo, 'COUNT', count)
    for _, entry in ipairs(entries) do
      local data = ''
      for j = 1, #entry[2], 2 do if entry[2][j] == 'data' then data = entry[2][j + 1] end end
      after, left, bytesLeft = entry[1], left - 1, bytesLeft - #data
      flat[#flat + 1] = after
      flat[#flat + 1] = data
    end
    more = #entries == count
  end
end
return { #KEYS, '', flat }`,
  reply: (raw) => {
    const [done, after, flat] = raw as [number, string, string[]];
    return { done, after, flat };
  },
});

/** Reads one page of the ranges: at most `entriesMax` entries, and not much more than `bytesMax` bytes of their JSON, both at least 1. */
export async function readLogPage(redis: Redis, ranges: readonly LogRange[], entriesMax: number, bytesMax: number): Promise<LogPage> {
  const looked = ranges.slice(0, rangesMax);
  const { done, after, flat } = await pageScript.run(redis, looked.map(({ key }) => key), [entriesMax, bytesMax, ...looked.flatMap((range) => [range.after, range.upTo])]);
  const entries = Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i] ?? '', flat[2 * i + 1] ?? ''] as const);
  const [unfinished, ...others] = ranges.slice(done);
  if (!unfinished) return { entries, rest: [] };
  return { entries, rest: [done < looked.length ? { ...unfinished, after } : unfinished, ...others] };
}
