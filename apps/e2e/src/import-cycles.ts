import { foldersByPackageName, importsOf, targetOf } from './imports.ts';
import { isTypeScript, type SourceFile } from './source-tree.ts';

/**
 * Names every circle of imports once, as `a.ts → b.ts → a.ts`. Imports of types count as well: what cannot be read
 * without its reader belongs in one file.
 */
export function checkImportCycles(files: readonly SourceFile[]): string[] {
  const folders = foldersByPackageName(files);
  const arrows = new Map(
    files.filter(isTypeScript).map((file) => [
      file.path,
      importsOf(file).flatMap(({ specifier }) => targetOf(file, specifier, folders) ?? []),
    ]),
  );
  const finished = new Set<string>();
  const cycles: string[] = [];
  for (const path of arrows.keys()) visit(path, [], arrows, finished, cycles);
  return cycles;
}

function visit(path: string, trail: string[], arrows: ReadonlyMap<string, string[]>, finished: Set<string>, cycles: string[]): void {
  const start = trail.indexOf(path);
  if (start >= 0) {
    cycles.push([...trail.slice(start), path].join(' → '));
    return;
  }
  if (finished.has(path)) return;
  for (const target of arrows.get(path) ?? []) visit(target, [...trail, path], arrows, finished, cycles);
  finished.add(path);
}
