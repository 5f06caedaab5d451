import type { Redis } from '@skirmish/redis';
import { Client } from 'pg';

/** What a database consists of and holds. */
export interface StoredState {
  /** A line for each column, index, constraint, function, trigger, view, type and role. */
  readonly schema: readonly string[];
  readonly tables: Readonly<Record<string, { readonly rows: number; readonly digest: string }>>;
}

const functions = `
create function pg_temp.rows_of(regclass) returns int8 language plpgsql as $$
declare n int8; begin execute format('select count(*) from %s', $1) into n; return n; end $$;
create function pg_temp.digest_of(regclass) returns text language plpgsql as $$
declare d text; begin execute format('select md5(coalesce(string_agg(t::text, chr(10) order by t::text), '''')) from %s t', $1) into d; return d; end $$`;

const schemaLines = `
select 'column ' || table_name || '.' || column_name || ' ' || ordinal_position || ' ' || coalesce(domain_name, udt_name) || ' ' || is_nullable || ' ' || coalesce(column_default, '') as line
  from information_schema.columns where table_schema = 'public'
union all select 'index ' || indexdef from pg_indexes where schemaname = 'public'
union all select 'constraint ' || conname || ' ' || pg_get_constraintdef(oid) from pg_constraint where connamespace = 'public'::regnamespace
union all select 'function ' || pg_get_functiondef(oid) from pg_proc where pronamespace = 'public'::regnamespace and prokind in ('f', 'p')
union all select 'trigger ' || pg_get_triggerdef(oid) from pg_trigger where not tgisinternal
union all select 'view ' || viewname || ' ' || definition from pg_views where schemaname = 'public'
union all select 'type ' || typname from pg_type where typnamespace = 'public'::regnamespace
union all select 'extension ' || extname from pg_extension
union all select 'role ' || rolname || ' ' || rolsuper from pg_roles
order by 1`;

const tablesOf = `
select relname as name, pg_temp.rows_of(oid)::int4 as rows, pg_temp.digest_of(oid) as digest
  from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')`;

export async function storedState(databaseUrl: string): Promise<StoredState> {
  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    await client.query(functions);
    const schema = await client.query<{ line: string }>(schemaLines);
    const tables = await client.query<{ name: string; rows: number; digest: string }>(tablesOf);
    return {
      schema: schema.rows.map(({ line }) => line),
      tables: Object.fromEntries(tables.rows.map(({ name, rows, digest }) => [name, { rows, digest }])),
    };
  } finally {
    await client.end();
  }
}

/** The keys of Redis that belong to no realm, with their values' kinds, and its functions. */
export async function keysOutside(redis: Redis, realm: string): Promise<string[]> {
  const keys = (await redis.keys('*')).filter((key) => !key.startsWith(`{${realm}}:`)).sort();
  const kinds = await Promise.all(keys.map(async (key) => `${key} ${await redis.type(key)}`));
  return [...kinds, ...((await redis.call('FUNCTION', 'LIST')) as unknown[]).map(String)];
}
