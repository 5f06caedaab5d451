import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { tests } from '@skirmish/local';
import { type Check, looked, type Surroundings } from '../check.ts';

/** Attacks that are tests, each file with what it attacks. A file that is gone is a finding: nobody gets rid of an attack by deleting it. */
export const attackFiles: Readonly<Record<string, string>> = {
  'packages/auth/test/attacks.test.ts': 'forged, confused and twisted tokens against the verifier',
  'packages/auth/test/poisoned-key-sets.test.ts': 'keys that an issuer should never have published',
  'apps/gateway/test/token-attacks.test.ts': 'the same against a gateway',
  'apps/gateway/test/hostile-strings.test.ts': 'texts that would be SQL, Lua, keys or headers, in every field',
  'apps/gateway/test/origin.test.ts': 'pages of other origins',
};

/** Generated frames; a tenth of those of `npm run test:e2e`. */
const fuzzFiles = ['apps/e2e/test/fuzz.test.ts'];
const fuzzFrames = '10000';

/** The files that do not exist, as findings. */
export const missingFiles = (root: string, paths: readonly string[]): string[] => paths.filter((path) => !existsSync(join(root, path))).map((path) => `${path} does not exist`);

async function runTests({ root, stop }: Surroundings, what: string, paths: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const missing = missingFiles(root, paths);
  const present = paths.filter((path) => existsSync(join(root, path)));
  if (present.length === 0) return looked(what, 0, missing);
  const { passed, failed } = await tests(what, { paths: present, serial: true, env, tree: root }).run(stop);
  return looked(`${what}: ${passed + failed} tests of ${present.length} files`, passed, [...missing, ...(failed > 0 ? [`${failed} tests failed; they are named above`] : [])]);
}

export const attacks: Check = {
  name: 'attacks',
  question: 'are forged tokens, hostile texts and other origins refused?',
  run: (surroundings) => runTests(surroundings, 'the attack suite', Object.keys(attackFiles)),
};

export const fuzz: Check = {
  name: 'fuzz',
  question: 'does a gateway stand generated frames?',
  run: (surroundings) => runTests(surroundings, `frames from a seed, ${fuzzFrames}`, fuzzFiles, { FUZZ_FRAMES: fuzzFrames }),
};
