import type { ServerResponse } from 'node:http';
import { createLogger, createMetrics } from '@skirmish/observability';
import { keysOf } from '@skirmish/redis';
import { eventually } from '@skirmish/testing';
import { createBackendEventWriter, createWebhookSender, type WebhookLimits, type WebhookSender } from '../src/index.ts';
import type { Hook, Receiver } from './_receiver.ts';
import type { TestStream } from './_stream.ts';

export const secret = 'a secret of the tests, at least 32 bytes long';
// An attempt is given up and an event taken over only where a test is about that: both would be mistakes on a machine that stalls.
const quick = { firstDelayMs: 50, delayMsMax: 400, pollMs: 20, claimAfterMs: 20_000, timeoutMs: 10_000 };
export const bounds = { retentionMs: 3_600_000, entriesMax: 10_000 };

export interface Running extends AsyncDisposable {
  readonly sender: WebhookSender;
  readonly logs: string[];
  figures(name: string): Promise<Record<string, number>>;
}

export async function startSender(stream: Pick<TestStream, 'redis' | 'realm'>, url: string, limits: Partial<WebhookLimits> = {}, privateAddresses = true): Promise<Running> {
  const logs: string[] = [];
  const logger = createLogger({ name: 'webhooks', level: 'debug', destination: { write: (line) => void logs.push(line) } });
  const metrics = createMetrics({ process: 'test', runtime: false });
  const { redis, realm } = stream;
  const sender = createWebhookSender({ redis, realm, url, secret, privateAddresses, logger, metrics, limits: { ...quick, ...limits } });
  await eventually(async () => ((await redis.xinfo('GROUPS', keysOf(realm).backendEvents)) as unknown[]).length === 1, { what: 'the group' });
  const figures = async (name: string): Promise<Record<string, number>> => {
    const lines = (await metrics.render()).split('\n').filter((line) => line.includes(name) && !line.startsWith('#'));
    return Object.fromEntries(lines.map((line) => [/why="([a-z]+)"/.exec(line)?.[1] ?? 'all', Number(line.split(' ').at(-1))]));
  };
  return { sender, logs, figures, [Symbol.asyncDispose]: () => sender.stop() };
}

export const writerOf = (stream: TestStream) => createBackendEventWriter({ ...stream, ...bounds }).write;
export const heard = (receiver: Receiver, ...ids: string[]) => eventually(() => ids.every((id) => receiver.ids().includes(id)), { timeoutMs: 15_000, what: ids.join(', ') });
export const pendingOf = async ({ redis, keys }: TestStream): Promise<number> => ((await redis.xpending(keys.backendEvents, 'webhooks')) as [number])[0];
export const answered = (status: number, headers: Record<string, string> = {}) => (_hook: Hook, response: ServerResponse): void => { response.writeHead(status, headers).end(); };
