import { takeCoverage } from 'node:v8';

import { afterAll } from 'vitest';

import { eventually } from './eventually.ts';
import { openConnections, openHandles } from './open-handles.ts';

// vitest itself fails a run on an unhandled rejection; a leak of listeners is only a warning to Node, and an error to us.
const leaks: Error[] = [];
process.on('warning', (warning) => {
  if (warning.name === 'MaxListenersExceededWarning') leaks.push(warning);
});

// Registered before any other, so it runs last: what a file opened is closed by now.
afterAll(async () => {
  // vitest ends its test processes without the exit that would write the coverage.
  if (process.env['NODE_V8_COVERAGE'] !== undefined) takeCoverage();
  const [leak] = leaks;
  if (leak !== undefined) throw leak;
  // `ws` keeps the connection of a peer that does not answer the end of it for 30 s, and then ends it by itself.
  await eventually(() => {
    if (openHandles().length > 0) throw new Error([...openHandles(), ...openConnections()].join(', '));
  }, { timeoutMs: 45_000, what: 'the end of every server, connection and child process of this test file' });
});
