import { runCommand } from './stages/run-command.ts';
import { packageTests, processTests } from './stages/test-stages.ts';

await runCommand('npm run test:integration', {}, () => [packageTests(), processTests()]);
