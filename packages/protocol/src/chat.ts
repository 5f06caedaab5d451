/** Chat: what a client may ask, what it is told. */
import * as v from 'valibot';

import { epochMs, integer, listOf, sentence } from './bounds.ts';
import { chatTextSchema } from './chat-text.ts';

import { combatIdSchema, commandIdSchema, guildIdSchema, messageIdSchema, partyIdSchema, reportIdSchema, userIdSchema, zoneIdSchema } from './ids.ts';
import { historyLimitMax, messageLengthMax, reasonLengthMax } from './limits.ts';
import { refusalCodes } from './refusals.ts';
import { nothing, personSchema } from './shapes.ts';

/** Where a message goes; a whisper names its recipient. */
export const channelSchema = v.variant('kind', [
  v.strictObject({ kind: v.literal('zone'), id: zoneIdSchema }),
  v.strictObject({ kind: v.literal('guild'), id: guildIdSchema }),
  v.strictObject({ kind: v.literal('party'), id: partyIdSchema }),
  v.strictObject({ kind: v.literal('combat'), id: combatIdSchema }),
  v.strictObject({ kind: v.literal('whisper'), id: userIdSchema }),
]);
export type Channel = v.InferOutput<typeof channelSchema>;
export type ChannelKind = Channel['kind'];

export const chatMessageSchema = v.object({
  messageId: messageIdSchema,
  channel: channelSchema,
  from: personSchema,
  text: chatTextSchema,
  sentAtMs: epochMs,
});
export type ChatMessage = v.InferOutput<typeof chatMessageSchema>;

export const chatClientEvents = {
  'chat:send': {
    payload: v.strictObject({ commandId: commandIdSchema, channel: channelSchema, text: chatTextSchema }),
    answer: v.object({ messageId: messageIdSchema }),
  },
  'chat:typing': { payload: v.strictObject({ channel: channelSchema }), answer: nothing },
  'chat:history': {
    payload: v.strictObject({
      channel: channelSchema,
      beforeMessageId: v.exactOptional(messageIdSchema),
      limit: v.exactOptional(integer(1, historyLimitMax)),
    }),
    answer: v.object({ messages: listOf(chatMessageSchema, historyLimitMax), hasMore: v.boolean() }),
  },
  'chat:report': {
    payload: v.strictObject({ commandId: commandIdSchema, messageId: messageIdSchema, reason: sentence(reasonLengthMax) }),
    answer: v.object({ reportId: reportIdSchema }),
  },
  'chat:block': { payload: v.strictObject({ commandId: commandIdSchema, userId: userIdSchema }), answer: nothing },
  'chat:unblock': { payload: v.strictObject({ commandId: commandIdSchema, userId: userIdSchema }), answer: nothing },
} as const;

export const chatServerEvents = {
  'chat:message': { schema: chatMessageSchema, class: 'critical' },
  'chat:refused': {
    schema: v.object({
      commandId: commandIdSchema,
      messageId: messageIdSchema,
      code: v.picklist(refusalCodes),
      message: sentence(messageLengthMax),
      untilMs: v.exactOptional(epochMs),
    }),
    class: 'critical',
  },
  'chat:retracted': { schema: v.object({ messageId: messageIdSchema, channel: channelSchema }), class: 'critical' },
  'chat:typing': { schema: v.object({ channel: channelSchema, userId: userIdSchema }), class: 'ephemeral' },
} as const;
