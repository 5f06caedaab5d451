import { posix } from 'node:path';
import { packageFolders, type SourceFile } from './source-tree.ts';

/** The rows of the Markdown table below a heading, as lists of cells; empty when the heading or the table is missing. */
export function tableBelow(markdown: string, heading: string): string[][] {
  const lines = markdown.split('\n');
  const start = lines.findIndex((line) => /^#+ /.test(line) && line.replace(/^#+ /, '') === heading);
  if (start < 0) return [];
  const length = lines.slice(start + 1).findIndex((line) => /^#+ /.test(line));
  const rows = lines.slice(start + 1, length < 0 ? undefined : start + 1 + length).filter((line) => line.startsWith('|'));
  return rows.slice(2).map((row) => row.split('|').slice(1, -1).map((cell) => cell.trim()));
}

/** The texts between backticks of one cell. */
const codeIn = (cell: string | undefined): string[] => [...(cell ?? '').matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? '');

/** The README's table "Packages" lists exactly the packages and apps that exist. */
export function checkPackageTable(files: readonly SourceFile[]): string[] {
  const readme = files.find((file) => file.path === 'README.md')?.text ?? '';
  const listed = tableBelow(readme, 'Packages').flatMap(([first]) => codeIn(first));
  const folders = packageFolders(files);
  return [
    ...folders.filter((folder) => !listed.includes(folder)).map((folder) => `README.md, "Packages": ${folder} is missing`),
    ...listed.filter((folder) => !folders.includes(folder)).map((folder) => `README.md, "Packages": ${folder} does not exist`),
  ];
}

/** Every path that the README's seed-file map gives exists, and every name of `seeds` has a row. */
export function checkSeedFileMap(files: readonly SourceFile[], seeds: readonly string[]): string[] {
  const rows = tableBelow(files.find((file) => file.path === 'README.md')?.text ?? '', 'Where the files of the seed went');
  const exists = (path: string): boolean => files.some((file) => file.path === path || file.path.startsWith(`${path.replace(/\/$/, '')}/`));
  return [
    ...seeds.filter((seed) => !rows.some(([first]) => codeIn(first).includes(seed))).map((seed) => `README.md, seed-file map: ${seed} is missing`),
    ...rows.flatMap(([first, second]) => {
      const paths = codeIn(second);
      if (paths.length === 0) return [`README.md, seed-file map: ${first ?? ''} leads nowhere`];
      return paths.filter((path) => !exists(path)).map((path) => `README.md, seed-file map: ${path} does not exist`);
    }),
  ];
}

/** Every script of package.json has a row in the README's table "Commands", and the other way round. */
export function checkCommandTable(files: readonly SourceFile[]): string[] {
  const readme = files.find((file) => file.path === 'README.md')?.text ?? '';
  const manifest = files.find((file) => file.path === 'package.json')?.text ?? '{}';
  const scripts = Object.keys((JSON.parse(manifest) as { scripts?: Record<string, string> }).scripts ?? {});
  const listed = tableBelow(readme, 'Commands').flatMap(([first]) => codeIn(first).flatMap((code) => /^npm (?:run )?([a-z0-9:]+)/.exec(code)?.[1] ?? []));
  return [
    ...scripts.filter((script) => !listed.includes(script)).map((script) => `README.md, "Commands": ${script} is missing`),
    ...listed.filter((script) => !scripts.includes(script)).map((script) => `README.md, "Commands": package.json has no ${script}`),
  ];
}

/** Every path of the repository that a README names, in a link or between backticks, exists. */
export function checkReadmePaths(files: readonly SourceFile[]): string[] {
  return files.filter((file) => /(^|\/)README\.md$/.test(file.path)).flatMap((file) => {
    const folder = file.path.slice(0, -'README.md'.length);
    const links = [...file.text.matchAll(/\]\(([^)#:]+)\)/g)].map((match) => posix.join(folder, match[1] ?? ''));
    const named = [...file.text.matchAll(/`((?:apps|packages|infra)\/[A-Za-z0-9_./-]+)`/g)].map((match) => match[1] ?? '');
    return [...new Set([...links, ...named])]
      .filter((path) => !files.some((other) => other.path === path || other.path.startsWith(`${path.replace(/\/$/, '')}/`)))
      .map((path) => `${file.path}: ${path} does not exist`);
  });
}
