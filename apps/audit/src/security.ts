import { resolve } from 'node:path';
import { asCommand, FlagError, hostTools, say } from '@skirmish/local';
import { repositoryRoot } from './repository.ts';
import { runChecks } from './run-checks.ts';
import { securityChecks } from './security/all-checks.ts';

const names = securityChecks.map(({ name }) => name);
const flags = {
  only: { default: '', description: `some of the checks, between commas: ${names.join(', ')}` },
  root: { default: repositoryRoot, description: 'the repository that is looked at' },
};

await asCommand('npm run audit:security', flags, async ({ only, root }, stop) => {
  const wanted = only === '' ? names : only.split(',');
  const unknown = wanted.find((name) => !names.includes(name));
  if (unknown !== undefined) throw new FlagError(`There is no check ${unknown}; there are ${names.join(', ')}.`);
  await hostTools.run(stop);
  return runChecks(securityChecks.filter(({ name }) => wanted.includes(name)), { root: resolve(root), stop }, say);
});
