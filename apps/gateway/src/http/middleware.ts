import { randomUUID } from 'node:crypto';
import type { Logger } from '@skirmish/observability';
import { Rejection } from '@skirmish/protocol';
import type { ErrorRequestHandler, RequestHandler } from 'express';
import { withoutPayload } from '../connection/without-payload.ts';
import { refuse } from './envelope.ts';
import { httpRejectionOf } from './http-rejection.ts';

const requestIdForm = /^[A-Za-z0-9_.-]{1,64}$/;

/** Gives each request an id, the caller's own where it is sound, and answers with it. */
export const requestId: RequestHandler = (request, response, next) => {
  const given = request.get('x-request-id');
  const id = given !== undefined && requestIdForm.test(given) ? given : randomUUID();
  response.locals['requestId'] = id;
  response.set('x-request-id', id);
  next();
};

/** For everything that no route took. */
export const notFound: RequestHandler = (_request, response) => {
  refuse(response, new Rejection('http/not-found'));
};

/** The last handler: whatever was thrown becomes an answer in the envelope, and our own mistakes a log line without what was sent. */
export function createErrorHandler(logger: Logger): ErrorRequestHandler {
  return (error: unknown, request, response, next) => {
    if (response.headersSent) {
      next(error);
      return;
    }
    const rejection = httpRejectionOf(error);
    if (rejection.code === 'server/internal') {
      logger.error({ err: withoutPayload(error, request.body), requestId: response.locals['requestId'] as unknown, req: request }, 'a request failed');
    }
    refuse(response, rejection);
  };
}
