import type { Verifier } from '@skirmish/auth';
import type { Database } from '@skirmish/database';
import type { Health, Logger } from '@skirmish/observability';
import cors from 'cors';
import express, { type Express } from 'express';
import helmet from 'helmet';
import type { GatewayConfig } from '../config.ts';
import { createDevTokens } from './dev-tokens.ts';
import { createHealthRoutes, type Statistics } from './health-routes.ts';
import { createErrorHandler, notFound, requestId } from './middleware.ts';

export interface ExpressParts {
  readonly config: GatewayConfig;
  readonly logger: Logger;
  readonly health: Health;
  readonly database: Database;
  readonly verifier: Verifier;
  readonly statistics: Statistics;
}

/** The HTTP interface for players: the shared middleware, health, and in development the token endpoint. */
export function createExpressApp({ config, logger, health, database, verifier, statistics }: ExpressParts): Express {
  const app = express();
  app.disable('x-powered-by');
  app.use(requestId);
  app.use(helmet());
  app.use(cors({ origin: [...(config.socketCorsOrigin ?? [])], methods: ['GET', 'POST'], exposedHeaders: ['x-request-id'], maxAge: 600 }));
  app.use(createHealthRoutes(health, statistics));
  if (config.nodeEnv === 'development') app.use('/v1/dev', createDevTokens({ config, database, verifier }));
  app.use(notFound);
  app.use(createErrorHandler(logger));
  return app;
}
