import type { Target } from './_conformance-case.ts';
import { type Answer, handshake, pollingPath, RawWebSocket, request } from './_raw-client.ts';

/** What an HTTP answer says, without what differs from run to run. */
export const shown = ({ status, body }: Pick<Answer, 'status' | 'body'>): string => `${status} ${body}`;

/** A session that polls, by its id as it stands in a query. */
export const sidOf = async (target: Target): Promise<string> => encodeURIComponent((await handshake(target.url)).sid);

/** One that has entered its realm, so that no time limit of CONNECT ends it. */
export async function enteredSid(target: Target): Promise<string> {
  const sid = await sidOf(target);
  await pollOf(target, sid, { method: 'POST', body: `40/realm/main,${JSON.stringify({ token: await target.token() })}` });
  while (!(await pollOf(target, sid)).body.includes('session:welcome'));
  return sid;
}

export const pollOf = (target: Target, sid: string, init: RequestInit = {}): Promise<Answer> => request(`${target.url}${pollingPath}&sid=${sid}`, init);

/** The status with which an upgrade is refused, or how many frames came before it was closed. */
export async function upgradeRefusal(url: string): Promise<string> {
  const socket = new RawWebSocket(url);
  await socket.closed();
  return socket.refusedWith === null ? `closed ${socket.frames.length}` : String(socket.refusedWith);
}

/** Whether a session that polls is still there: a POST of nothing harmful is taken. */
export const isAlive = async (target: Target, sid: string): Promise<string> => shown(await pollOf(target, sid, { method: 'POST', body: '3' }));
