/**
 * Every command of this repository: the question it answers, the file below `apps/local/src` (or below the `src` of the `app` that it
 * names) that runs it, and whether it runs what `turbo run build` makes.
 */
export const commands = {
  start: { entry: 'start.ts', build: true, question: 'run the whole cluster here' },
  demo: { entry: 'demo.ts', build: true, question: 'two players chat, walk and fight through the running cluster' },
  dev: { entry: 'dev.ts', build: false, question: 'run the cluster from its sources and restart what changes' },
  config: { entry: 'config.ts', build: false, question: 'with which configuration would an app start?' },
  test: { entry: 'test.ts', build: true, question: 'is everything green?' },
  check: { entry: 'check.ts', build: false, question: 'are types, lint, arrows and dead code in order?' },
  'test:sockets': { entry: 'test-sockets.ts', build: false, question: 'does one gateway work?' },
  'test:integration': { entry: 'test-integration.ts', build: false, question: 'do several processes work together?' },
  'test:e2e': { entry: 'test-e2e.ts', build: true, question: 'does the whole work, as a player sees it? (-- --long for the long ones)' },
  'audit:security': { app: 'audit', entry: 'security.ts', build: false, question: 'is what we know about attacks still held off? (-- --only secrets for one check)' },
  bench: { entry: 'bench.ts', build: false, question: 'what do the hot paths cost? (-- --short for a smaller sample)' },
};

/** The list of the commands, one per line. */
export function listOfCommands() {
  const rows = Object.entries(commands).map(([name, { question }]) => `  npm ${name === 'start' || name === 'test' ? name : `run ${name}`}`.padEnd(28) + question);
  return `Commands:\n${rows.join('\n')}`;
}
