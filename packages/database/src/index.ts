export { createDatabase, type Database, type DatabaseLogger, type DatabaseOptions } from './database.ts';
export type { PoolStats } from './connection-pool.ts';
export { json } from './json.ts';
export { migrate, MigrationError, pendingMigrations, type MigrateOptions } from './migrate.ts';
export type { Migration } from './migrations/migration.ts';
export { UnsafeIntegerError } from './parse-columns.ts';
export type { ChannelKind, CombatState, Row, SanctionKind, Schema, Verdict } from './schema.ts';
