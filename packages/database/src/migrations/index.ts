import type { Migration } from './migration.ts';
import { firstTables } from './0001-first-tables.ts';

/** In the order in which they run. A migration that has been released is never edited, renamed or moved; add another one. */
export const migrations: readonly Migration[] = [firstTables];
