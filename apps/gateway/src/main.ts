import { parseOrExit } from '@skirmish/config';
import { announceReady, createHealth, createShutdown, installProcessGuards } from '@skirmish/observability';
import { createGateway } from './app.ts';
import { config } from './config.ts';
import { createGatewayLogger } from './logger.ts';

const values = parseOrExit(config);
const logger = createGatewayLogger(values);
const health = createHealth();
const shutdown = createShutdown({ logger });
installProcessGuards({ logger, shutdown, health });
const gateway = await createGateway(values, { logger, health, shutdown });
const announce = (): void => {
  const { incarnation: id, publicPort, internalPort } = gateway;
  announceReady({ role: 'gateway', id, publicPort, internalPort });
};
gateway.onIncarnation(announce);
announce();
