import { createKeySet, createVerifier, type Verifier } from '@skirmish/auth';
import { createReporter, type EventTable, type Logger, type Metrics } from '@skirmish/observability';
import type { GatewayConfig } from '../config.ts';

const keySetEvents = {
  'key-set-fetched': { message: 'the keys of the issuer were fetched', level: 'info', labels: [] },
  'key-set-failed': { message: 'the keys of the issuer could not be fetched; the last good ones stay for a day', level: 'error', labels: [] },
} as const satisfies EventTable;

/** The verifier that the configuration asks for: a secret, a key set, or both. */
export function createConfiguredVerifier(config: GatewayConfig, { logger, metrics }: { readonly logger: Logger; readonly metrics: Metrics }): Verifier {
  const { jwtSecret: secret, jwtJwksUrl: url, jwtIssuer: issuer, jwtAudience: audience, jwtServiceAudience: serviceAudience, jwtAgeSecondsMax: ageSecondsMax } = config;
  const report = createReporter({ logger, metrics, events: keySetEvents });
  const keys = url === undefined ? undefined : createKeySet({
    url,
    onFetch: (outcome, error) => { report(outcome === 'fetched' ? 'key-set-fetched' : 'key-set-failed', {}, { err: error instanceof Error ? error.message : undefined }); },
  });
  if (keys) {
    metrics.gauge({ name: 'key_set_age_seconds', help: 'Time since the keys of the issuer were last fetched well; NaN before the first time', collect: () => (keys.ageMs() ?? NaN) / 1_000 });
  }
  return createVerifier({ secret, keys, issuer, audience, serviceAudience, ageSecondsMax });
}
