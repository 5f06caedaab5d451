import type { Health } from '@skirmish/observability';
import { Rejection } from '@skirmish/protocol';
import { type Response, Router } from 'express';
import { answer } from './envelope.ts';

/** Figures of the gateway that no health check has. */
export type Statistics = () => Readonly<Record<string, unknown>>;

/** `/healthz`: the process answers. `/readyz`: it wants players. `/health`: what it holds. None does any I/O. */
export function createHealthRoutes(health: Health, statistics: Statistics): Router {
  const router = Router();
  router.get('/healthz', (_request, response) => { answer(response, { alive: true }); });
  router.get('/readyz', (_request, response) => { answerReadiness(response, health); });
  router.get('/health', (_request, response) => { answer(response, { ...health.report(), ...statistics() }); });
  return router;
}

function answerReadiness(response: Response, health: Health): void {
  const { ready, draining, reasons } = health.readiness();
  if (ready) return answer(response, { ready, reasons });
  const refusal = new Rejection(draining ? 'server/draining' : 'server/unavailable').toRefusal();
  response.status(503).set('cache-control', 'no-store').json({ ok: false, error: { ...refusal, reasons } });
}
