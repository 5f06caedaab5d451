import { isTest, isTypeScript, packageFolders, type SourceFile } from './source-tree.ts';

const sourceLinesMax = 300;
const testLinesMax = 600;
const mainLinesMax = 20;
const foldersBelowSourceMax = 2;
const readmeLinesMax = 120;
const drawer = /^(utils?|helpers?|common|shared|libs?|misc|managers?)$/;
const kebabCase = /^_?[a-z0-9]+(-[a-z0-9]+)*((\.[a-z]+)?\.test)?\.ts$/;

/** The line count as editors show it: a final line break begins no new line. */
const linesOf = (file: SourceFile): number => file.text.replace(/\n$/, '').split('\n').length;

/** Names every file that is too long, too deep, in a drawer or not in kebab-case. */
export function checkLayout(files: readonly SourceFile[]): string[] {
  return files.filter(isTypeScript).flatMap((file) => {
    const complaints: string[] = [];
    const [folders, name] = [file.path.split('/').slice(2, -1), file.path.split('/').at(-1) ?? ''];
    const linesMax = isTest(file) ? testLinesMax : sourceLinesMax;
    if (linesOf(file) > linesMax) complaints.push(`${linesOf(file)} lines, at most ${linesMax}: split it by meaning`);
    if (folders[0] === 'src' && folders.length - 1 > foldersBelowSourceMax) complaints.push(`at most ${foldersBelowSourceMax} folders below src`);
    for (const word of [...folders, name.replace(/(\.test)?\.ts$/, '')].filter((part) => drawer.test(part))) {
      complaints.push(`"${word}" is a drawer: name the thing by what it does`);
    }
    if (!kebabCase.test(name)) complaints.push('file names are kebab-case');
    return complaints.map((complaint) => `${file.path}: ${complaint}`);
  });
}

const processFiles = ['main', 'app', 'context', 'config', 'logger', 'metrics'];

/** Every process has the same few files, spelled the same, and a `main.ts` of fewer than 20 lines. */
export function checkProcessFiles(files: readonly SourceFile[], processes: readonly string[]): string[] {
  return processes.flatMap((folder) => {
    const missing = processFiles.filter((name) => !files.some((file) => file.path === `${folder}/src/${name}.ts`));
    const main = files.find((file) => file.path === `${folder}/src/main.ts`);
    return [
      ...missing.map((name) => `${folder}/src/${name}.ts is missing: every process has it`),
      ...(main !== undefined && linesOf(main) >= mainLinesMax ? [`${main.path}: ${linesOf(main)} lines, fewer than ${mainLinesMax}`] : []),
    ];
  });
}

/** Every package and app has a README.md that fits two screens. */
export function checkReadmes(files: readonly SourceFile[]): string[] {
  return packageFolders(files).flatMap((folder) => {
    const readme = files.find((file) => file.path === `${folder}/README.md`);
    if (readme === undefined) return [`${folder} has no README.md`];
    return linesOf(readme) > readmeLinesMax ? [`${readme.path}: ${linesOf(readme)} lines, at most ${readmeLinesMax} (two screens)`] : [];
  });
}
