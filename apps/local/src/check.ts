import { runCommand } from './stages/run-command.ts';
import { arrows } from './stages/test-stages.ts';
import { deadCode, lint, types } from './stages/tool.ts';

await runCommand('npm run check', {}, () => [types, lint, arrows, deadCode]);
