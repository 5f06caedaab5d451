import type { Transaction } from 'kysely';
import type { Schema } from '../schema.ts';

/** One step forward. `up` runs in one transaction with the record that it ran: both happen or neither. */
export interface Migration {
  /** Four digits and words, as the file: `0002-mail-expiry`. */
  readonly name: string;
  readonly up: (transaction: Transaction<Schema>) => Promise<void>;
}
