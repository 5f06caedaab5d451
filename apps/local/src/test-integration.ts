import { hostTools } from './stages/host-tools-stage.ts';
import { runCommand } from './stages/run-command.ts';
import { packageTests, processTests } from './stages/test-stages.ts';

await runCommand('npm run test:integration', {}, () => [hostTools, packageTests(), processTests()]);
