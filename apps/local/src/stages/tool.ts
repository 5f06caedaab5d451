import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Stage } from './stage.ts';

/** The root folder of the repository. */
export const root = fileURLToPath(new URL('../../../../', import.meta.url));

const programs = {
  tsc: 'typescript/bin/tsc',
  eslint: 'eslint/bin/eslint.js',
  knip: 'knip/bin/knip.js',
  vitest: 'vitest/vitest.mjs',
  c8: 'c8/bin/c8.js',
} as const;

export interface ToolRun {
  args: readonly string[];
  /** Added to our environment. */
  env?: Readonly<Record<string, string>>;
  /** The working tree in which it runs, with the tools of that tree; this repository unless given. */
  tree?: string;
  /** Ends the tool. */
  stop: AbortSignal;
}

/** Runs a development tool of the repository under this Node with its output on ours; resolves to the exit code. */
export function runTool(tool: keyof typeof programs, { args, tree = root, ...how }: ToolRun): Promise<number> {
  return runNode({ args: [join(tree, 'node_modules', programs[tool]), ...args], tree, ...how });
}

/** Runs this Node with its output on ours; resolves to the exit code. */
export function runNode({ args, env = {}, tree = root, stop }: ToolRun): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd: tree, stdio: ['ignore', 'inherit', 'inherit'], env: { ...process.env, ...env } });
    const end = (): boolean => child.kill('SIGTERM');
    stop.addEventListener('abort', end);
    child.once('error', reject);
    child.once('exit', (code) => {
      stop.removeEventListener('abort', end);
      resolve(code ?? 1);
    });
  });
}

const toolStage = (name: string, tool: keyof typeof programs, args: readonly string[]): Stage => ({
  name,
  run: async (stop) => ((await runTool(tool, { args, stop })) === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 }),
});

/** The types of the whole repository in one program. */
export const types = toolStage('types', 'tsc', ['-p', 'tsconfig.base.json']);

/** The lint rules. Without a cache: rules that know types depend on other files than the one that changed. */
export const lint = toolStage('lint', 'eslint', ['.', '--max-warnings', '0']);

/** Files, exports and dependencies that nobody uses. */
export const deadCode = toolStage('dead code', 'knip', ['--no-progress']);
