import { createDatabase, migrate, seedDevelopmentWorld } from '@skirmish/database';

/** Brings the tables up to date and makes the development world; both change nothing the second time. */
export async function prepareWorld(databaseUrl: string, players: number): Promise<void> {
  await using database = createDatabase({ url: databaseUrl, poolMax: 2, statementTimeoutMs: 60_000, applicationName: 'skirmish-local' });
  await migrate(database);
  await seedDevelopmentWorld(database, { players });
}
