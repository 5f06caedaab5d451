import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

/** One text file of the repository; `path` is relative to the root and written with `/`. */
export interface SourceFile {
  path: string;
  text: string;
}

/** The root folder of this repository. */
export const repositoryRoot = fileURLToPath(new URL('../../../', import.meta.url));

const ignoredFolders = new Set(['node_modules', 'dist', 'coverage', '.git', '.local', '.turbo']);
const textFile = /(\.(ts|js|mjs|cjs|sh|md|json|yaml|yml|lua|sql|conf|toml|html)|\.env\.example|\.ci\/run|\.gitignore|\.editorconfig)$/;

/** Reads every text file of the repository that is not made by a tool. Throws when the root cannot be read. */
export function readSourceTree(root: string = repositoryRoot): SourceFile[] {
  return readdirSync(root, { withFileTypes: true }).flatMap((entry) => readEntry(root, join(root, entry.name), entry.isDirectory()));
}

function readEntry(root: string, path: string, isFolder: boolean): SourceFile[] {
  const name = path.slice(path.lastIndexOf(sep) + 1);
  if (isFolder) {
    if (ignoredFolders.has(name)) return [];
    return readdirSync(path, { withFileTypes: true }).flatMap((entry) => readEntry(root, join(path, entry.name), entry.isDirectory()));
  }
  const shown = relative(root, path).split(sep).join('/');
  return textFile.test(shown) ? [{ path: shown, text: readFileSync(path, 'utf8') }] : [];
}

/** A TypeScript file of a package or app, tests included. */
export const isTypeScript = (file: SourceFile): boolean => /^(apps|packages)\/[^/]+\/.*\.ts$/.test(file.path);

/** A test or a helper of tests: `*.test.ts` anywhere, everything in a package's `test/`, and names that begin with `_`. */
export const isTest = (file: SourceFile): boolean => /\.test\.ts$|^(apps|packages)\/[^/]+\/test\/|\/_[^/]+\.ts$/.test(file.path);

/** The package or app that a file belongs to, for example `packages/redis`; undefined for files of the root. */
export const packageOf = (file: SourceFile): string | undefined => /^(?:apps|packages)\/[^/]+/.exec(file.path)?.[0];

/** The folders of all packages and apps, each known by its package.json. */
export const packageFolders = (files: readonly SourceFile[]): string[] =>
  files.flatMap((file) => /^((?:apps|packages)\/[^/]+)\/package\.json$/.exec(file.path)?.[1] ?? []).sort();
