import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { coverage } from './stages/coverage.ts';
import { hostTools } from './stages/host-tools-stage.ts';
import { runCommand } from './stages/run-command.ts';
import { arrows, packageTests, processTests, unitTests } from './stages/test-stages.ts';
import { deadCode, lint, types } from './stages/tool.ts';

const coverageDirectory = mkdtempSync(join(tmpdir(), 'skirmish-coverage-'));
try {
  await runCommand('npm test', {}, () => [
    hostTools, types, lint, arrows({ coverageDirectory }), deadCode,
    unitTests({ coverageDirectory }), packageTests({ coverageDirectory }), processTests({ coverageDirectory }),
    coverage(coverageDirectory),
  ]);
} finally {
  rmSync(coverageDirectory, { recursive: true, force: true });
}
