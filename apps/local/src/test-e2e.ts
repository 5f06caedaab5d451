import { runCommand } from './stages/run-command.ts';
import { processTests } from './stages/test-stages.ts';

const flags = { long: { default: false, description: 'with the tests of apps/e2e/test/long, which take minutes each' } };

await runCommand('npm run test:e2e', flags, ({ long }) => [processTests({ withLong: long })]);
