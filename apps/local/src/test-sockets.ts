import { runCommand } from './stages/run-command.ts';
import { socketTests } from './stages/test-stages.ts';

await runCommand('npm run test:sockets', {}, () => [socketTests]);
