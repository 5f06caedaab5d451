import type { Client } from 'pg';

/** Makes an empty database; rejects when there is one of this name. `file_copy` is quicker where the template is small. */
export async function createDatabaseNamed(client: Client, name: string, strategy: 'file_copy' | 'wal_log' = 'wal_log'): Promise<void> {
  await client.query(`create database ${client.escapeIdentifier(name)} strategy ${strategy}`);
}

/** Removes a database, if there is one of this name, cutting its connections. */
export async function dropDatabaseNamed(client: Client, name: string): Promise<void> {
  await client.query(`drop database if exists ${client.escapeIdentifier(name)} with (force)`);
}
