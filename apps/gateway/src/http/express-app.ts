import cors from 'cors';
import express, { type Express } from 'express';
import helmet from 'helmet';
import type { GatewayContext, RealmContext } from '../context.ts';
import { createDevTokens } from './dev-tokens.ts';
import { createDocuments } from './documents.ts';
import { createHealthRoutes, type Statistics } from './health-routes.ts';
import { createErrorHandler, notFound, requestId } from './middleware.ts';
import { createServiceApi } from './service-api.ts';

export interface ExpressParts {
  readonly gateway: GatewayContext;
  /** Those that are served; filled while the gateway starts. */
  readonly realms: readonly RealmContext[];
  readonly statistics: Statistics;
}

/** The public HTTP interface: the shared middleware, health, documents, the service API, and in development the token endpoint. */
export function createExpressApp({ gateway, realms, statistics }: ExpressParts): Express {
  const { config, logger, health } = gateway;
  const app = express();
  app.disable('x-powered-by');
  app.use(requestId);
  app.use(helmet());
  app.use(cors({ origin: [...(config.socketCorsOrigin ?? [])], methods: ['GET', 'POST'], exposedHeaders: ['x-request-id'], maxAge: 600 }));
  app.use(createHealthRoutes(health, statistics));
  if (config.nodeEnv === 'development') app.use('/v1/dev', createDevTokens(gateway));
  app.use(createServiceApi(gateway, realms));
  app.use('/docs', createDocuments());
  app.use(notFound);
  app.use(createErrorHandler(logger));
  return app;
}
