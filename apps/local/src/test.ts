import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { coverage } from './stages/coverage.ts';
import { runCommand } from './stages/run-command.ts';
import { arrows, packageTests, processTests, unitTests } from './stages/test-stages.ts';
import { deadCode, lint, types } from './stages/tool.ts';

await runCommand('npm test', {}, async () => {
  const coverageDirectory = await mkdtemp(join(tmpdir(), 'skirmish-coverage-'));
  return [
    types, lint, arrows, deadCode,
    unitTests({ coverageDirectory }), packageTests({ coverageDirectory }), processTests({ coverageDirectory }),
    coverage(coverageDirectory),
  ];
});
