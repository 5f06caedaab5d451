import { tests, type TestSelection } from './tests.ts';
import type { Stage } from './stage.ts';

const architecture = ['apps/e2e/test/architecture.test.ts', 'apps/e2e/test/wire-names.test.ts'];
const long = 'apps/e2e/test/long/**';
/** Tests of several processes that take a minute each: `npm run test:e2e` has them. */
const slow = ['redis-outages', 'redis-silence', 'resume-chaos', 'resume-cost', 'rolling-restart', 'server-api', 'transport', 'lanes', 'ghosts', 'fuzz'].map((name) => `apps/e2e/test/${name}.test.ts`);

/** Tests of one package that take a minute each, likewise. */
const slowOfPackages = ['slow-consumer', 'pressure'].map((name) => `apps/gateway/test/${name}.test.ts`);

/** Storeys, circles, layout and documents. */
export const arrows = (options: Partial<TestSelection> = {}): Stage => tests('arrows', { paths: [...architecture, 'apps/e2e/src/'], ...options });

/** Tests beside the sources, and those that boot one process. */
export const unitTests = (options: Partial<TestSelection> = {}): Stage => tests('unit tests', { paths: [], exclude: ['apps/*/test/**', 'packages/*/test/**', 'apps/e2e/**'], ...options });

/** Tests of packages and apps that boot something of their own. */
export const packageTests = (options: Partial<TestSelection> = {}): Stage =>
  tests('integration tests', { paths: ['/test/'], exclude: ['apps/e2e/**', ...slowOfPackages], ...options });

/** Those that they leave out. */
export const slowPackageTests: Stage = tests('slow tests of one package', { paths: slowOfPackages, serial: true });

/** The gateway alone: its rules, and one process with its sockets. */
export const socketTests: Stage = tests('gateway', { paths: ['apps/gateway/'] });

/** Tests of several processes: the quick files of apps/e2e/test; `slow` adds those that take a minute, `long` those of apps/e2e/test/long. */
export const processTests = (options: Partial<TestSelection> & { withSlow?: boolean; withLong?: boolean } = {}): Stage => {
  const { withSlow = false, withLong = false, ...rest } = options;
  const left = [...(withSlow || withLong ? [] : slow), ...(withLong ? [] : [long])];
  return tests('tests of several processes', { paths: ['apps/e2e/test/'], exclude: [...architecture, ...left], serial: true, ...rest });
};

/** The long forms of tests of one package. */
export const longPackageTests: Stage = tests('long forms', {
  paths: ['apps/gateway/test/churn.test.ts', 'apps/gateway/test/resume-histories.test.ts'],
  env: { CHURN_SOCKETS: '500', HISTORIES: '1000' },
  serial: true,
});
