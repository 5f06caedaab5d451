import { isTest, isTypeScript, type SourceFile } from './source-tree.ts';

const windowLines = 12;

interface Line {
  text: string;
  number: number;
}

/** The lines that say something: no blank ones, no comments, no imports, no lines of brackets only. */
function tellingLines(file: SourceFile): Line[] {
  return file.text
    .split('\n')
    .map((text, index) => ({ text: text.trim(), number: index + 1 }))
    .filter(({ text }) => /\w/.test(text) && !/^(\/\/|\/?\*|import\b|export \{|export type \{)/.test(text) && !text.startsWith("} from "));
}

/** Names each pair of places in non-test sources where the same 12 telling lines stand in a row; each pair of files once. */
export function checkDuplicates(files: readonly SourceFile[]): string[] {
  const first = new Map<string, string>();
  const pairs = new Map<string, string>();
  for (const file of files.filter((candidate) => isTypeScript(candidate) && !isTest(candidate))) {
    const lines = tellingLines(file);
    for (let start = 0; start + windowLines <= lines.length; start += 1) {
      const block = lines.slice(start, start + windowLines).map((line) => line.text).join('\n');
      const place = `${file.path}:${lines[start]?.number ?? 0}`;
      const earlier = first.get(block);
      if (earlier === undefined) {
        first.set(block, place);
        continue;
      }
      const pair = `${earlier.split(':')[0] ?? ''} ${file.path}`;
      if (!pairs.has(pair)) pairs.set(pair, `${place} repeats ${earlier}: ${windowLines} lines or more`);
    }
  }
  return [...pairs.values()];
}
