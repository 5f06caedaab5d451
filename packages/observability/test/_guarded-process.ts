import { once } from 'node:events';
import { announceReady, createHealth, createLogger, createMetrics, createShutdown, installProcessGuards, serveInternal } from '@skirmish/observability';

/** A process as ours are, which does on a message what its name says. */
const logger = createLogger({ name: 'guarded', level: 'info' });
const health = createHealth();
const shutdown = createShutdown({ logger });
// An orphan: its parent went while it was starting.
if (process.argv.includes('orphan')) {
  const gone = once(process, 'disconnect');
  process.disconnect();
  await gone;
}
// What hangs is cut off soon; everything else has time, so that a busy machine is not taken for a step that hangs.
const faultTimeoutMs = process.argv.includes('hurried faults') ? 100 : 10_000;
const remove = installProcessGuards({ logger, shutdown, health, faultTimeoutMs });
const internal = await serveInternal({ host: '127.0.0.1', port: 0, health, metrics: createMetrics({ process: 'guarded' }) });

function fillTheLog(): void {
  for (let line = 0; line < 500; line += 1) logger.info({ line, filler: 'x'.repeat(400) }, 'filler');
}

shutdown.step('say readiness', 10_000, () => logger.info(health.readiness(), 'readiness at the first step'));
shutdown.step('internal server', 10_000, () => internal.close());

process.on('message', (order) => {
  switch (order) {
    case 'throw':
      setImmediate(() => {
        throw new RangeError('thrown on purpose');
      });
      break;
    case 'reject':
      void Promise.reject(new TypeError('rejected on purpose'));
      break;
    case 'reject-without-error':
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- that such a rejection is logged is what a test proves
      void Promise.reject('only a text');
      break;
    case 'hang':
      shutdown.step('hang', 60_000, () => new Promise(() => undefined));
      process.emit('uncaughtException', new Error('a fault before the hang'));
      break;
    case 'fault-while-stopping':
      shutdown.step('fault', 10_000, () => new Promise((resolve) => {
        setImmediate(() => {
          setImmediate(resolve);
          throw new Error('a fault while stopping');
        });
      }));
      process.kill(process.pid, 'SIGTERM');
      break;
    case 'slow-stop':
      shutdown.step('slow', 60_000, () => new Promise((resolve) => process.once('message', resolve)));
      process.kill(process.pid, 'SIGTERM');
      break;
    case 'remove':
      remove();
      logger.info('guards removed');
      break;
    case 'fill the log':
      fillTheLog();
      return process.exit(0);
    case 'fill the log, then stop':
      fillTheLog();
      process.kill(process.pid, 'SIGTERM');
      break;
  }
});

announceReady({ role: 'gateway', id: 'first', publicPort: 1, internalPort: internal.port });
announceReady({ role: 'gateway', id: 'second' });
