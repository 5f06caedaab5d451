import { hostTools } from './stages/host-tools-stage.ts';
import { runCommand } from './stages/run-command.ts';
import { longPackageTests, processTests, slowPackageTests } from './stages/test-stages.ts';

const flags = { long: { default: false, description: 'with the tests of apps/e2e/test/long, which take minutes each' } };

await runCommand('npm run test:e2e', flags, ({ long }) => [hostTools, slowPackageTests, processTests({ withSlow: true, withLong: long }), ...(long ? [longPackageTests] : [])]);
