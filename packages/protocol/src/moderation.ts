/** Moderation: what a sanctioned player is told. */
import * as v from 'valibot';

import { epochMs, sentence } from './bounds.ts';
import { reasonLengthMax } from './limits.ts';

export const sanctionKinds = ['warned', 'muted', 'kicked', 'banned'] as const;

export const moderationServerEvents = {
  'moderation:sanctioned': {
    schema: v.object({ kind: v.picklist(sanctionKinds), reason: sentence(reasonLengthMax), untilMs: v.exactOptional(epochMs) }),
    class: 'critical',
  },
} as const;
