export { noBuiltSql } from './lint/no-built-sql.ts';
