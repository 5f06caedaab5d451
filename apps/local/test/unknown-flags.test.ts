import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

/** Runs a command of this app as the bootstrap does and resolves to its exit code and what it wrote to standard error. */
function run(entry: string, ...args: string[]): Promise<{ code: number | null; complaint: string }> {
  const path = fileURLToPath(new URL(`../src/${entry}`, import.meta.url));
  const child = spawn(process.execPath, ['--conditions=skirmish-source', path, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => { complaint += chunk.toString(); });
  return new Promise((resolve) => child.once('close', (code) => { resolve({ code, complaint }); }));
}

describe('a flag that a test command does not know', () => {
  it.each(['test.ts', 'check.ts', 'test-sockets.ts', 'test-integration.ts'])('is refused by %s before anything runs', async (entry) => {
    const { code, complaint } = await run(entry, '--lnog');
    expect(complaint).toMatch(/^npm (test|run [a-z:]+) does not know --lnog\. npm .* takes no flags\.\n$/);
    expect(code).toBe(2);
  });

  it('is answered with the list of those that exist', async () => {
    const { code, complaint } = await run('test-e2e.ts', '--lnog');
    expect(complaint).toMatch(/^npm run test:e2e does not know --lnog\. Its flags, with their defaults:\n {2}--long {2}with the tests/);
    expect(code).toBe(2);
  });
});
