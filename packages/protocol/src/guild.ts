/** Guilds: who of the members comes and goes. */
import * as v from 'valibot';

import { userIdSchema } from './ids.ts';

export const guildServerEvents = {
  'guild:member-online': { schema: v.object({ userId: userIdSchema }), class: 'ephemeral' },
  'guild:member-offline': { schema: v.object({ userId: userIdSchema }), class: 'ephemeral' },
} as const;
