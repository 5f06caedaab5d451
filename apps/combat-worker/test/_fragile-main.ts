import { announceReady } from '@skirmish/observability';
import { config, createCombatWorker } from '../src/index.ts';

const { FAIL_AT: place, FAIL_WITH: signal = 'SIGKILL' } = process.env;
let failed = false;

// Nothing of a test run that was broken off stays behind.
process.once('disconnect', () => process.exit(1));
if (!process.connected) process.exit(1);

const worker = await createCombatWorker(config.parse(process.env), {
  reached: (reached) => {
    if (failed || reached !== place) return undefined;
    failed = true;
    process.kill(process.pid, signal);
    // A killed process does not get here any more; a frozen one goes on when it is woken.
    return signal === 'SIGKILL' ? new Promise(() => undefined) : undefined;
  },
});
announceReady({ role: 'combat-worker', id: worker.id, internalPort: worker.internalPort });
