import { hostTools } from './stages/host-tools-stage.ts';
import { runCommand } from './stages/run-command.ts';
import { socketTests } from './stages/test-stages.ts';

await runCommand('npm run test:sockets', {}, () => [hostTools, socketTests]);
