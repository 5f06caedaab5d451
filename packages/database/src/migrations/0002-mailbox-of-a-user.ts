import { sql } from 'kysely';
import type { Migration } from './migration.ts';

/** All mails of a user, delivered ones too: to forget what is over without reading the whole table. */
export const mailboxOfAUser: Migration = {
  name: '0002-mailbox-of-a-user',
  up: async (transaction) => {
    await sql`create index if not exists mailbox_of_user on mailbox (realm, user_id)`.execute(transaction);
  },
};
