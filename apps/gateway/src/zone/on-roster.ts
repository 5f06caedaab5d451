import { type ClientAnswer, type ClientPayload, zoneRosterMax } from '@skirmish/protocol';
import type { Call } from '../context.ts';

/** Who is in the own zone: how many by the roster in Redis, and those that this gateway knows of, 500 at most. */
export async function onRoster({ realm }: Call, { zoneId }: ClientPayload<'zone:roster'>): Promise<ClientAnswer<'zone:roster'>> {
  const population = await realm.transport.population(zoneId);
  const characters = realm.zones.of(zoneId)?.characters() ?? [];
  return { population, characters: characters.slice(0, zoneRosterMax) };
}
