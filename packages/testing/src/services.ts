/** The servers that one vitest run shares. */
export interface Services {
  readonly redisUrl: string;
  /** Of the database `postgres`; the server runs from the first `createTestDatabase` or `startSharedPostgres` on. */
  readonly postgresUrl: string;
}

/** Returns the shared servers; throws outside of a vitest run. Keep to a realm of your own and a database of your own there. */
export function services(): Services {
  return { redisUrl: variable('SKIRMISH_TEST_REDIS_URL'), postgresUrl: variable('SKIRMISH_TEST_POSTGRES_URL') };
}

/** Starts the shared Postgres unless it runs already, and resolves to its URL when it answers. */
export async function startSharedPostgres(): Promise<string> {
  const response = await fetch(variable('SKIRMISH_TEST_POSTGRES_STARTER'));
  const text = await response.text();
  if (!response.ok) throw new Error(text);
  return text;
}

function variable(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set: services() works in vitest runs that use vitest-services.ts`);
  return value;
}
