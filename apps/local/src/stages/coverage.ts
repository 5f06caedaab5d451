import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { join, relative, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import { say } from '../terminal.ts';
import type { Stage } from './stage.ts';
import { root, runTool } from './tool.ts';

const percentMin = 80;

interface RawCoverage {
  result: { url: string; functions: unknown[] }[];
}

/** Keeps of one process's raw coverage what belongs to the repository's own sources, under their plain URLs. */
export function ownSourcesOf(raw: RawCoverage, rootUrl: string): RawCoverage {
  const own = /^(?:apps|packages)\/[^/]+\/src\/(?!.*\/_|_).*(?<!\.test)\.ts$/;
  return {
    result: raw.result.flatMap((script) => {
      const url = script.url.replace(/[?#].*$/, '');
      return url.startsWith(rootUrl) && own.test(url.slice(rootUrl.length)) ? [{ ...script, url }] : [];
    }),
  };
}

/** Raw files are large (every module of every process); the report would need gigabytes. Returns how many processes are left. */
function reduceRawFiles(directory: string): number {
  const rootUrl = pathToFileURL(root).href;
  let processes = 0;
  for (const name of readdirSync(directory)) {
    const path = join(directory, name);
    const reduced = readRaw(path, rootUrl);
    if (reduced === null || reduced.result.length === 0) {
      rmSync(path, { force: true });
      continue;
    }
    writeFileSync(path, JSON.stringify(reduced));
    processes += 1;
  }
  return processes;
}

/** Null for a file that its process, killed, could not finish. */
function readRaw(path: string, rootUrl: string): RawCoverage | null {
  try {
    return ownSourcesOf(JSON.parse(readFileSync(path, 'utf8')) as RawCoverage, rootUrl);
  } catch {
    return null;
  }
}

/** True when nothing of a file is left to run once the types are gone: it is never loaded, and no test could cover it. */
export function hasOnlyTypes(source: string): boolean {
  const code = stripTypeScriptTypes(source).replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '').replace(/\bexport\s*\{\s*\};?/g, '');
  return code.replaceAll(/[;\s]/g, '') === '';
}

function typeOnlyFiles(): string[] {
  const sources = ['apps', 'packages'].flatMap((folder) =>
    readdirSync(join(root, folder)).flatMap((name) => filesBelow(join(root, folder, name, 'src'))),
  );
  return sources.filter((path) => hasOnlyTypes(readFileSync(path, 'utf8'))).map((path) => relative(root, path).split(sep).join('/'));
}

function filesBelow(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts') && !entry.name.endsWith('.test.ts'))
    .map((entry) => join(entry.parentPath, entry.name));
}

interface Summary {
  total: Record<'lines' | 'branches', { pct: number; covered: number; total: number }>;
}

/** The report over what V8 counted in all processes, files that no process loaded included, and the gate on lines and branches. */
export const coverage = (directory: string): Stage => ({
  name: `coverage over ${percentMin} %`,
  run: async (stop) => {
    const processes = reduceRawFiles(directory);
    const reports = join(root, 'coverage');
    rmSync(reports, { recursive: true, force: true });
    const exclude = ['**/*.test.ts', '**/_*.ts', ...typeOnlyFiles()].flatMap((pattern) => ['--exclude', pattern]);
    const exitCode = await runTool('c8', { stop, args: [
      'report', '--all', '--src', root, '--include', 'packages/*/src/**', '--include', 'apps/*/src/**', ...exclude, '--extension', '.ts',
      '--temp-directory', directory, '--reports-dir', reports, '--reporter', 'text', '--skip-full', '--reporter', 'text-summary', '--reporter', 'json-summary',
    ] });
    if (exitCode !== 0) return { passed: 0, failed: 1 };
    const { total } = JSON.parse(readFileSync(join(reports, 'coverage-summary.json'), 'utf8')) as Summary;
    const gates = [total.lines, total.branches].map((part) => part.pct >= percentMin && part.total > 0);
    say(`lines ${total.lines.pct} %, branches ${total.branches.pct} %, counted in ${processes} processes`);
    return { passed: gates.filter(Boolean).length, failed: gates.filter((passed) => !passed).length };
  },
});
