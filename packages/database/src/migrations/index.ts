import type { Migration } from './migration.ts';
import { firstTables } from './0001-first-tables.ts';
import { mailboxOfAUser } from './0002-mailbox-of-a-user.ts';
import { tokensValidFrom } from './0003-tokens-valid-from.ts';
import { refreshFamilies } from './0004-refresh-families.ts';
import { strikes } from './0005-strikes.ts';

/** In the order in which they run. A migration that has been released is never edited, renamed or moved; add another one. */
export const migrations: readonly Migration[] = [firstTables, mailboxOfAUser, tokensValidFrom, refreshFamilies, strikes];
