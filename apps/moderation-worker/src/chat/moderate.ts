import { type MessageVerdict, type SettledMessage, settleMessage } from '@skirmish/database';
import { type Channel, commandMemoryMs, duplicateWindowMs, isRefusalCode, type RefusalCode, refusals, type RoomName, roomOf, type UserId } from '@skirmish/protocol';
import type { LaneBody, LaneCommand } from '@skirmish/queue';
import type { ModerationContext } from '../context.ts';
import { fingerprintOf } from './fingerprint.ts';
import { createJudge, type Verdict } from './verdict.ts';

const judge = createJudge();

/** Judges a message once and tells the channel, or its sender why not. A repetition tells the verdict that was stored. */
export async function moderate(context: ModerationContext, command: LaneCommand<'chat.moderate'>, signal: AbortSignal): Promise<void> {
  const { database, realm, report } = context;
  const { messageId, channel, from, text, sentAtMs } = command.body;
  const commandId = commandIdOf(command);
  const message = { messageId, realm, channel, from, commandId, fingerprint: fingerprintOf(text), sentAtMs };
  let verdict: Verdict | undefined;
  const settled = await settleMessage(database, message, {
    memoryMs: commandMemoryMs,
    alikeWindowMs: duplicateWindowMs,
    judge: (alikeBefore) => {
      verdict = judge(text, alikeBefore);
      return toStore(verdict, sentAtMs);
    },
  });
  if (settled.repeated) report('message-repeated', { channel: channel.kind }, { messageId });
  else if (verdict !== undefined) reportVerdict(context, command.body, verdict);
  await context.reached('committed');
  signal.throwIfAborted();
  await tell(context, command.body, commandId, settled);
  await context.reached('told');
}

/** A message that came without a command id is known by its own. */
export const commandIdOf = ({ commandId, body }: LaneCommand<'chat.moderate'>): string => commandId ?? body.messageId;

function toStore(verdict: Verdict, sentAtMs: number): MessageVerdict {
  if (verdict.kind === 'delivered') return { kind: 'delivered', text: verdict.text };
  const untilMs = verdict.code === 'chat/spam' ? sentAtMs + duplicateWindowMs : null;
  return { kind: 'refused', code: verdict.code, untilMs };
}

async function tell(context: ModerationContext, body: LaneBody<'chat.moderate'>, commandId: string, settled: SettledMessage): Promise<void> {
  const { messageId, sentAtMs, verdict } = settled;
  const options = { idempotencyKey: `chat:${messageId}` };
  if (verdict.kind === 'delivered') {
    const { channel, from } = body;
    const message = { messageId, channel: { kind: channel.kind, id: channel.id }, from: { userId: from.userId, name: from.name }, text: verdict.text, sentAtMs };
    await context.emitter.emit({ rooms: roomsOf(channel, from.userId) }, 'chat:message', message, options);
    return;
  }
  const code = isRefusalCode(verdict.code) ? verdict.code : 'server/internal';
  const until = verdict.untilMs === null ? {} : { untilMs: verdict.untilMs };
  const refusal = { commandId, messageId, code, message: refusals[code].message, ...until };
  await context.emitter.emit({ rooms: [roomOf.user(body.from.userId)] }, 'chat:refused', refusal, options);
  await context.reached('told sender');
  await tellBackends(context, { ...body, messageId }, code);
}

/** Who hears a message: the members of the channel; in a whisper its recipient and its sender. */
export function roomsOf(channel: Channel, senderId: UserId): RoomName[] {
  switch (channel.kind) {
    case 'zone':
      return [roomOf.zone(channel.id)];
    case 'guild':
      return [roomOf.guild(channel.id)];
    case 'party':
      return [roomOf.party(channel.id)];
    case 'combat':
      return [roomOf.combat(channel.id)];
    case 'whisper':
      return [...new Set([roomOf.user(channel.id), roomOf.user(senderId)])];
  }
}

function reportVerdict({ report }: ModerationContext, { channel, messageId }: LaneBody<'chat.moderate'>, verdict: Verdict): void {
  if (verdict.kind === 'delivered') report('message-delivered', { channel: channel.kind, masked: String(verdict.masked) }, { messageId });
  else report('message-refused', { channel: channel.kind, code: verdict.code }, { messageId });
}

/** A message that cannot be judged is on its way to the dead list: its sender hears that, instead of nothing. */
export async function giveUp(context: ModerationContext, command: LaneCommand<'chat.moderate'>, error: Error): Promise<void> {
  const { messageId, channel, from } = command.body;
  context.report('message-dead', { channel: channel.kind }, { messageId, err: error });
  const refusal = { commandId: commandIdOf(command), messageId, code: 'server/internal', message: refusals['server/internal'].message };
  await context.emitter.emit({ rooms: [roomOf.user(from.userId)] }, 'chat:refused', refusal, { idempotencyKey: `chat:${messageId}` });
  await tellBackends(context, command.body, 'server/internal');
}

async function tellBackends({ backend }: ModerationContext, { messageId, channel, from }: LaneBody<'chat.moderate'>, code: RefusalCode): Promise<void> {
  await backend.write({ type: 'message.refused', id: `message-refused-${messageId}`, data: { messageId, channel, userId: from.userId, code } });
}
