import { parseOrExit } from '@skirmish/config';
import { announceReady, createHealth, createShutdown, installProcessGuards } from '@skirmish/observability';
import { createModerationWorker } from './app.ts';
import { config } from './config.ts';
import { createModerationWorkerLogger } from './logger.ts';

const values = parseOrExit(config);
const logger = createModerationWorkerLogger(values);
const health = createHealth();
const shutdown = createShutdown({ logger });
installProcessGuards({ logger, shutdown, health });
const worker = await createModerationWorker(values, { logger, health, shutdown });
announceReady({ role: 'moderation-worker', id: worker.id, internalPort: worker.internalPort });
