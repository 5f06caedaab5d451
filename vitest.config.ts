import { defineConfig } from 'vitest/config';

/**
 * Tests run natively: Node strips the types itself and no bundler stands between. So the coverage that V8 writes, also in
 * the processes that tests start, refers to the files as they stand in the repository.
 */
export default defineConfig({
  test: {
    pool: 'forks',
    execArgv: ['--conditions=skirmish-source', '--expose-gc'],
    experimental: { viteModuleRunner: false },
    setupFiles: ['packages/testing/src/vitest-setup.ts'],
    globalSetup: ['packages/testing/src/vitest-services.ts'],
    // Tests mostly wait for servers and clocks: with one worker a core, two cores stand idle for half of the time.
    maxWorkers: 3,
    // Generous: a limit costs nothing when things are fine, and a busy machine is several times slower.
    testTimeout: 60_000,
    hookTimeout: 120_000,
    include: ['packages/*/src/**/*.test.ts', 'packages/*/test/**/*.test.ts', 'apps/*/src/**/*.test.ts', 'apps/*/test/**/*.test.ts'],
  },
});
