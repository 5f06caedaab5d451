import { createTestDatabase } from '@skirmish/testing';
import { createDatabase, migrate, seedDevelopmentWorld, type Database, type DatabaseOptions } from '../src/index.ts';

export interface TestWorld extends AsyncDisposable {
  readonly database: Database;
  readonly url: string;
  /** A further pool on the same database; closed with it. */
  open(options?: Partial<DatabaseOptions>): Database;
}

/** A database of one's own: empty, or migrated and seeded. */
export const createTestWorld = async ({ players = 0, migrated = true } = {}): Promise<TestWorld> => {
  const { url, drop } = await createTestDatabase();
  const opened: Database[] = [];
  const open = (options: Partial<DatabaseOptions> = {}): Database => {
    const database = createDatabase({ url, poolMax: 4, ...options });
    opened.push(database);
    return database;
  };
  const database = open();
  if (migrated) await migrate(database);
  if (players > 0) await seedDevelopmentWorld(database, { players });
  return {
    database,
    url,
    open,
    [Symbol.asyncDispose]: async () => {
      await Promise.all(opened.map((one) => one.close()));
      await drop();
    },
  };
};
