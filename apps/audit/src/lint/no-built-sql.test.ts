import { join } from 'node:path';
import { ESLint, Linter } from 'eslint';
import tseslint from 'typescript-eslint';
import { describe, expect, it } from 'vitest';
import { repositoryRoot } from '../repository.ts';
import { noBuiltSql } from './no-built-sql.ts';

const linter = new Linter();

/** The ids of the messages about a text, or that it cannot be parsed. */
const refusedIn = (text: string): string[] =>
  linter
    .verify(text, [{ files: ['**/*.ts'], languageOptions: { parser: tseslint.parser }, plugins: { skirmish: { rules: { 'no-built-sql': noBuiltSql as never } } }, rules: { 'skirmish/no-built-sql': 'error' } }], 'a.ts')
    .map(({ messageId, message }) => messageId ?? message);

const withSql = (text: string): string => `import { sql } from 'kysely';\n${text}`;
const withDriver = (text: string): string => `import type { Client } from 'pg';\n${text}`;

describe('a statement of text that was built', () => {
  it.each([
    ['raw', 'sql.raw(text);'],
    ['lit', 'sql.lit(text);'],
    ['raw of what is written out', "sql.raw('select 1');"],
    ['raw without a call', 'const r = sql.raw; r(text);'],
    ['raw by a computed name', "sql['raw'](text);"],
    ['a member by a name that nobody sees', 'sql[name](text);'],
    ['a destructured member', 'const { raw } = sql;'],
    ['another name for sql', 'const q = sql; q`select ${1}`;'],
    ['sql as a function', 'sql([text] as never);'],
    ['sql called by somebody else', 'Reflect.apply(sql, null, [[text]]);'],
    ['sql bound', 'sql.bind(null)([text]);'],
    ['sql handed on', 'export { sql };'],
    ['sql in an object', 'export const tools = { sql };'],
    ['a typed sql as a value', 'const q = sql<number>; q([text]);'],
    ['join without a call', 'const j = sql.join;'],
    ['a method that it got later', 'sql.append(text);'],
  ])('is refused: %s', (_what, text) => {
    expect(refusedIn(withSql(text))).not.toEqual([]);
  });

  it.each(['ref', 'table', 'id'])('is refused: sql.%s with a name that is not written out', (member) => {
    expect(refusedIn(withSql(`sql.${member}(column);`))).toEqual(['nameIsWrittenOut']);
    expect(refusedIn(withSql(`sql.${member}(\`a\${column}\`);`))).toEqual(['nameIsWrittenOut']);
    expect(refusedIn(withSql(`sql.${member}('a' + column);`))).toEqual(['nameIsWrittenOut']);
    expect(refusedIn(withSql(`sql.${member}(...columns);`))).toEqual(['nameIsWrittenOut']);
    expect(refusedIn(withSql(`sql.${member}('a', column);`))).toEqual(['nameIsWrittenOut']);
  });

  it.each([
    ['another name at the import', "import { sql as s } from 'kysely';"],
    ['the whole module', "import * as kysely from 'kysely';"],
    ['the maker of compiled queries', "import { CompiledQuery } from 'kysely';"],
    ['the maker of raw nodes', "import { RawNode } from 'kysely';"],
    ['the maker of builders', "import { createRawBuilder, Kysely } from 'kysely';"],
    ['a name in quotes', "import { 'sql' as s } from 'kysely';"],
    ['a file inside', "import { sql } from 'kysely/dist/raw-builder/sql.js'; sql.raw(text);"],
    ['a re-export', "export { sql } from 'kysely';"],
    ['a re-export of everything', "export * from 'kysely';"],
    ['a dynamic import', "const { sql } = await import('kysely');"],
    ['require', "const kysely = require('kysely');"],
  ])('is not made possible by %s', (_what, text) => {
    expect(refusedIn(text)).not.toEqual([]);
  });

  it.each([
    ['a compiled query of text', 'db.executeQuery(CompiledQuery.raw(text));'],
    ['a query that was made elsewhere', 'db.executeQuery(query);'],
    ['a literal of a value', 'eb.lit(value);'],
    ['a column that a caller chose', 'db.dynamic.ref(column);'],
    ['a function that a caller chose', 'eb.fn(name, []);'],
    ['an aggregate that a caller chose', 'eb.fn.agg(`${name}`);'],
    ['a statement with expressions', 'client.query(`select ${text}`);'],
    ['a concatenated statement', "client.query('select ' + text);"],
    ['a statement from a variable', 'client.query(text);'],
    ['a statement from a variable that was written out once', "let text = 'select 1'; client.query(text);"],
    ['a statement from a constant that was built', 'const text = `select ${column}`; client.query(text);'],
    ['a statement from a constant of another constant', "const one = 'select 1'; const two = one; client.query(two);"],
    ['a statement from a destructured constant', "const { text } = 'select 1'; client.query(text);"],
    ['a statement from a parameter', 'const run = (text: string) => client.query(text);'],
    ['a statement from a parameter that hides a constant', "const text = 'select 1'; const run = (text: string) => client.query(text);"],
    ['a statement from a call', 'pool.query(textOf(table), [1]);'],
    ['a statement from a cast', "client.query('select 1' as string);"],
    ['a statement in an object', 'client.query({ text, values: [] });'],
    ['a statement in a spread object', 'client.query({ ...query });'],
    ['two statements in an object', "client.query({ text: 'select 1', ['text']: text });"],
    ['a statement by a computed name', "client['query'](text);"],
    ['a statement of a client that may be gone', 'client?.query(text);'],
  ])('is refused in any file: %s', (_what, text) => {
    expect(refusedIn(text)).not.toEqual([]);
  });

  it.each(["import type { Database } from '@skirmish/database';", "import { createDatabase } from './database.ts';", "import type { Kysely } from 'kysely';", "import pg from 'pg';"])('is refused where the database is known: raw of anything, after %s', (known) => {
    expect(refusedIn(`${known} tools.raw(text);`)).toEqual(['member']);
    expect(refusedIn(`${known} tools['raw'](text);`)).toEqual(['member']);
    expect(refusedIn(`${known} const { raw: make } = tools;`)).toEqual(['member']);
    expect(refusedIn('frames.raw(text);')).toEqual([]);
  });

  it.each([
    ['a method that is moved', 'const run = client.query;'],
    ['a method that is bound', 'client.query.bind(client);'],
    ['a method that is called by another', 'client.query.call(client, text);'],
    ['a method that is taken out', 'const { query } = client;'],
    ['a method by a name that nobody sees', 'client[name](text);'],
  ])('is refused beside the driver: %s', (_what, text) => {
    expect(refusedIn(withDriver(text))).not.toEqual([]);
  });
});

describe('a statement that is written out', () => {
  it.each([
    ['with parameters', 'await sql`select ${value} from a where b = ${other}::int8`.execute(db);'],
    ['with a type', 'const made = sql<number>`now_ms() - ${age}`;'],
    ['of parts', 'const before = id ? sql`true` : sql`a < ${id}`; sql`select 1 where ${before}`;'],
    ['with names that are written out', "sql`select ${sql.ref('a.b')} from ${sql.table('a')} order by ${sql.id('a', 'c')}`;"],
    ['with a list of values', 'sql`select 1 where a in (${sql.join(values)})`; sql.val(1);'],
    ['of which only the type is asked', 'type Tag = typeof sql;'],
  ])('passes: %s', (_what, text) => {
    expect(refusedIn(withSql(text))).toEqual([]);
  });

  it.each([
    ["import { Kysely, PostgresDialect, type RawBuilder } from 'kysely';"],
    ["import type { CompiledQuery } from 'kysely'; export type { RawBuilder } from 'kysely';"],
    ["client.query('select $1', [text]); client.query(`select 1`); client.query({ text: 'select $1', values: [text] });"],
    ["const statement = 'select 1'; const run = () => client.query(statement);"],
    ["String.raw`\\d`; const mock = vi.fn(() => 1); eb.fn('lower', ['name']); request.query; const { query } = request;"],
    ["db.selectFrom('a').select('b').where('c', '=', text).execute();"],
  ])('passes: %s', (text) => {
    expect(refusedIn(text)).toEqual([]);
  });
});

describe('the configuration', () => {
  const eslint = new ESLint({ cwd: repositoryRoot });
  const severityIn = async (path: string): Promise<unknown> => {
    const { rules } = (await eslint.calculateConfigForFile(join(repositoryRoot, path))) as { rules: Record<string, unknown[]> };
    return rules['skirmish/no-built-sql']?.[0];
  };

  it.each([
    'packages/database/src/chat-repository.ts', 'packages/database/src/migrations/0001-first-tables.ts', 'packages/database/test/effects-happen-once.test.ts',
    'packages/protocol/src/rooms.ts', 'packages/redis/src/keys.ts', 'packages/testing/src/start-postgres.ts', 'apps/gateway/src/app.ts', 'apps/gateway/test/_gateway.ts',
    'apps/local/src/start.ts', 'load/lookup-time.ts', 'vitest.config.ts',
  ])('holds the rule for %s', async (path) => {
    expect(await severityIn(path)).toBe(2);
  });

  it('exempts two files by name', async () => {
    expect(await severityIn('packages/database/src/connection-pool.ts')).toBe(0);
    expect(await severityIn('packages/testing/src/database-statements.ts')).toBe(0);
  });
});
