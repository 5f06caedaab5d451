import { tests, type TestSelection } from './tests.ts';
import type { Stage } from './stage.ts';

const architecture = ['apps/e2e/test/architecture.test.ts', 'apps/e2e/test/wire-names.test.ts'];
const long = 'apps/e2e/test/long/**';

/** Storeys, circles, layout and documents. */
export const arrows = (options: Partial<TestSelection> = {}): Stage => tests('arrows', { paths: [...architecture, 'apps/e2e/src/'], ...options });

/** Tests beside the sources, and those that boot one process. */
export const unitTests = (options: Partial<TestSelection> = {}): Stage => tests('unit tests', { paths: [], exclude: ['apps/*/test/**', 'packages/*/test/**', 'apps/e2e/**'], ...options });

/** Tests of packages and apps that boot something of their own. */
export const packageTests = (options: Partial<TestSelection> = {}): Stage =>
  tests('integration tests', { paths: ['/test/'], exclude: ['apps/e2e/**'], ...options });

/** The gateway alone: its rules, and one process with its sockets. */
export const socketTests: Stage = tests('gateway', { paths: ['apps/gateway/'] });

/** Tests of several processes: the files of apps/e2e/test; `long` adds those of apps/e2e/test/long. */
export const processTests = (options: Partial<TestSelection> & { withLong?: boolean } = {}): Stage => {
  const { withLong = false, ...rest } = options;
  return tests('tests of several processes', { paths: ['apps/e2e/test/'], exclude: [...architecture, ...(withLong ? [] : [long])], serial: true, ...rest });
};

/** The long forms of tests of one package. */
export const longPackageTests: Stage = tests('long forms', {
  paths: ['apps/gateway/test/churn.test.ts', 'apps/gateway/test/resume-histories.test.ts'],
  env: { CHURN_SOCKETS: '500', HISTORIES: '1000' },
  serial: true,
});
