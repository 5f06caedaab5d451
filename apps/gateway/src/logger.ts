import { createLogger, type Logger } from '@skirmish/observability';
import type { GatewayConfig } from './config.ts';

/** The logger of a gateway: JSON lines on standard output. */
export function createGatewayLogger(config: Pick<GatewayConfig, 'logLevel'>): Logger {
  return createLogger({ name: 'gateway', level: config.logLevel });
}
