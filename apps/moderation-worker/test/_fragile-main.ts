import { announceReady } from '@skirmish/observability';
import { config, createModerationWorker } from '../src/index.ts';

// Nothing of a test run that was broken off stays behind.
process.once('disconnect', () => process.exit(1));
if (!process.connected) process.exit(1);

const worker = await createModerationWorker(config.parse(process.env), {
  reached: (place) => {
    if (place !== process.env['FAIL_AT']) return undefined;
    process.kill(process.pid, 'SIGKILL');
    return new Promise(() => undefined);
  },
});
announceReady({ role: 'moderation-worker', id: worker.id, internalPort: worker.internalPort });
