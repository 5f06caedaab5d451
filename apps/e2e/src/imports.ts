import { posix } from 'node:path';
import type { SourceFile } from './source-tree.ts';

/** One import of a file. `typeOnly` imports are erased before the code runs. */
export interface Import {
  specifier: string;
  typeOnly: boolean;
}

const fromClause = /^[ \t]*(?:import|export)[ \t]+(type[ \t]+)?[^'";]*?\bfrom[ \t]+'([^']+)'/gm;
const bareImport = /^[ \t]*import[ \t]+'([^']+)'/gm;
const dynamicImport = /\bimport\([ \t\n]*'([^']+)'/g;

/** The imports and re-exports of a TypeScript file, dynamic ones included. */
export function importsOf(file: SourceFile): Import[] {
  return [
    ...[...file.text.matchAll(fromClause)].map((match) => ({ specifier: match[2] ?? '', typeOnly: match[1] !== undefined })),
    ...[...file.text.matchAll(bareImport)].map((match) => ({ specifier: match[1] ?? '', typeOnly: false })),
    ...[...file.text.matchAll(dynamicImport)].map((match) => ({ specifier: match[1] ?? '', typeOnly: false })),
  ];
}

/** The repository path that a relative import or the name of a package of this repository leads to; undefined for others. */
export function targetOf(file: SourceFile, specifier: string, folderOfPackage: ReadonlyMap<string, string>): string | undefined {
  if (specifier.startsWith('.')) return posix.join(posix.dirname(file.path), specifier);
  const folder = folderOfPackage.get(specifier);
  return folder === undefined ? undefined : `${folder}/src/index.ts`;
}

/** Maps the names of the repository's packages to their folders, read from their package.json files. */
export function foldersByPackageName(files: readonly SourceFile[]): Map<string, string> {
  return new Map(
    files
      .filter((file) => /^(apps|packages)\/[^/]+\/package\.json$/.test(file.path))
      .map((file) => [(JSON.parse(file.text) as { name: string }).name, posix.dirname(file.path)]),
  );
}
