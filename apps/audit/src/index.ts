export { noBuiltSql } from './lint/no-built-sql.ts';
export type { Check, Result, Surroundings } from './check.ts';
export { runChecks } from './run-checks.ts';
