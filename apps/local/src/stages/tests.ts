import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative, sep } from 'node:path';
import type { Count, Stage } from './stage.ts';
import { root, runTool } from './tool.ts';

export interface TestSelection {
  /** Parts of paths: a test file runs when its path contains one of them; all of them when empty. */
  paths: readonly string[];
  exclude?: readonly string[];
  /** One file at a time, for tests that measure time or fill the machine with processes. */
  serial?: boolean;
  /** For tests that have a long form. */
  env?: Readonly<Record<string, string>>;
  /** The working tree whose tests are run; this repository unless given. */
  tree?: string;
  /** Where the test processes and their children write what V8 counted. */
  coverageDirectory?: string;
}

interface JsonReport {
  numPassedTests: number;
  numFailedTests: number;
  numFailedTestSuites: number;
  success: boolean;
  testResults: readonly FileReport[];
}

interface FileReport {
  /** The path of the file. */
  name: string;
  status: string;
  /** Why the file itself failed, for example in a hook; empty otherwise. */
  message: string;
  assertionResults: readonly { status: string; fullName: string; failureMessages?: readonly string[] | null }[];
}

/** A stage that runs test files. A run that fails without a failed test (an unhandled rejection, a broken file) counts as one failure. */
export const tests = (name: string, selection: TestSelection): Stage => ({ name, run: (stop) => runTests(selection, stop) });

async function runTests({ paths, exclude = [], serial = false, env = {}, tree = root, coverageDirectory }: TestSelection, stop: AbortSignal): Promise<Count> {
  const directory = await mkdtemp(join(tmpdir(), 'skirmish-tests-'));
  const reportFile = join(directory, 'report.json');
  try {
    const exitCode = await runTool('vitest', {
      args: [
        'run', ...paths, ...exclude.flatMap((pattern) => ['--exclude', pattern]), ...(serial ? ['--no-file-parallelism'] : []),
        '--reporter=default', '--reporter=json', `--outputFile.json=${reportFile}`,
      ],
      env: { ...env, ...(coverageDirectory === undefined ? {} : { NODE_V8_COVERAGE: coverageDirectory }) },
      tree,
      stop,
    });
    return countOf(await readReport(reportFile), exitCode);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function readReport(file: string): Promise<JsonReport | null> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as JsonReport;
  } catch {
    return null;
  }
}

/** What a report and the exit code say together. Without a report, or with a failure that no test shows, something failed. */
export function countOf(report: JsonReport | null, exitCode: number): Count {
  const passed = report?.numPassedTests ?? 0;
  const failed = report?.numFailedTests ?? 0;
  const silentFailure = failed === 0 && (exitCode !== 0 || report === null || !report.success || passed === 0);
  const failures = (report?.testResults ?? []).flatMap(failuresOf);
  return { passed, failed: silentFailure ? 1 : failed, failures: silentFailure && failures.length === 0 ? ['something outside of any test, see above'] : failures };
}

/** The failed tests of a file and the file itself where no test shows why it failed, each with the first line of its reason. */
function failuresOf({ name, status, message, assertionResults }: FileReport): string[] {
  const file = relative(root, name).split(sep).join('/');
  const failed = assertionResults.filter((result) => result.status === 'failed');
  if (failed.length === 0) return status === 'failed' ? [`${file}: ${firstLine(message)}`] : [];
  return failed.map((result) => `${file}: ${result.fullName}: ${firstLine(result.failureMessages?.[0] ?? '')}`);
}

const firstLine = (text: string): string => text.split('\n', 1)[0]?.slice(0, 300) ?? '';
