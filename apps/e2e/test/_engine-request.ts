import { eventually } from '@skirmish/testing';
import type { Target } from './_conformance-case.ts';
import { type Answer, handshake, pollingPath, RawWebSocket, request } from './_raw-client.ts';

/** What an HTTP answer says, without what differs from run to run. */
export const shown = ({ status, body }: Pick<Answer, 'status' | 'body'>): string => `${status} ${body}`;

/** A session that polls, by its id as it stands in a query. */
export const sidOf = async (target: Target): Promise<string> => encodeURIComponent((await handshake(target.url)).sid);
export const pollOf = (target: Target, sid: string, init: RequestInit = {}): Promise<Answer> => request(`${target.url}${pollingPath}&sid=${sid}`, init);

/** The status with which an upgrade is refused, or how many frames came before it was closed. */
export async function upgradeRefusal(url: string): Promise<string> {
  const socket = new RawWebSocket(url);
  await socket.closed();
  return socket.refusedWith === null ? `closed ${socket.frames.length}` : String(socket.refusedWith);
}

/** Whether a session that polls is still there: a POST of nothing harmful is taken. Seldom, for nobody asked for the pong. */
export const isAlive = async (target: Target, sid: string): Promise<string> => shown(await pollOf(target, sid, { method: 'POST', body: '3' }));

const sessionsAtOnce = 6;

/**
 * Whether sessions are over soon after `giveUp`. Several, since some requests reach their gateway directly even through a load
 * balancer; the middle one counts, since a busy machine may hold up a few.
 */
export async function endOf(target: Target, giveUp: (sid: string) => Promise<void>): Promise<string> {
  const tookMs = await Promise.all(Array.from({ length: sessionsAtOnce }, async () => {
    const sid = await sidOf(target);
    await giveUp(sid);
    const startedAtMs = performance.now();
    const isGone = async (): Promise<boolean> => (await pollOf(target, sid, { method: 'POST', body: '6' })).body.includes('"code":1');
    // Not more often: a flood of empty packets ends a session as well.
    await eventually(isGone, { timeoutMs: 10_000, intervalMs: 100, what: 'the end of the session' });
    return performance.now() - startedAtMs;
  }));
  const middleMs = tookMs.sort((one, other) => one - other)[sessionsAtOnce / 2] ?? Infinity;
  return middleMs < target.pingIntervalMs / 2 ? 'gone at once' : `gone after ${Math.round(middleMs)} ms`;
}
