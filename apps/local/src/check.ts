import { hostTools } from './stages/host-tools-stage.ts';
import { runCommand } from './stages/run-command.ts';
import { arrows } from './stages/test-stages.ts';
import { deadCode, lint, types } from './stages/tool.ts';

await runCommand('npm run check', {}, () => [hostTools, types, lint, arrows(), deadCode]);
