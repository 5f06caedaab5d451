import { takeCoverage } from 'node:v8';

import { afterAll } from 'vitest';

// vitest itself fails a run on an unhandled rejection; a leak of listeners is only a warning to Node, and an error to us.
const leaks: Error[] = [];
process.on('warning', (warning) => {
  if (warning.name === 'MaxListenersExceededWarning') leaks.push(warning);
});

afterAll(() => {
  // vitest ends its test processes without the exit that would write the coverage.
  if (process.env['NODE_V8_COVERAGE'] !== undefined) takeCoverage();
  const [leak] = leaks;
  if (leak !== undefined) throw leak;
});
