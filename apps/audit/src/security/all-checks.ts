import type { Check } from '../check.ts';
import { advisories } from './advisories.ts';
import { attacks, fuzz } from './attacks.ts';
import { headers } from './headers.ts';
import { versions } from './lock-file.ts';
import { secrets } from './secrets.ts';

/** The security audit, the quick checks first. */
export const securityChecks: readonly Check[] = [versions, advisories, secrets, headers, attacks, fuzz];
