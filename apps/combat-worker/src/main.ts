import { parseOrExit } from '@skirmish/config';
import { announceReady, createHealth, createShutdown, installProcessGuards } from '@skirmish/observability';
import { createCombatWorker } from './app.ts';
import { config } from './config.ts';
import { createCombatWorkerLogger } from './logger.ts';

const values = parseOrExit(config);
const logger = createCombatWorkerLogger(values);
const health = createHealth();
const shutdown = createShutdown({ logger });
installProcessGuards({ logger, shutdown, health });
const worker = await createCombatWorker(values, { logger, health, shutdown });
announceReady({ role: 'combat-worker', id: worker.id, internalPort: worker.internalPort });
