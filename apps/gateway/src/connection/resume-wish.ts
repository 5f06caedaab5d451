import { randomBytes } from 'node:crypto';
import type { SocketWithAuth } from './session.ts';

export interface ResumeWish {
  readonly pid: string;
  readonly offset: string;
}

/** What Socket.IO keeps to itself: the private id that lets a client resume. */
interface Inside {
  pid: string;
  recovered: boolean;
}

/** What the adapter left for a socket whose client asked to resume, in a sound form; nothing of it has been checked. */
export function wishOf(socket: SocketWithAuth): ResumeWish | null {
  return (socket.data as { resume?: ResumeWish }).resume ?? null;
}

/** A private id as Socket.IO makes them: 120 random bits. */
export const freshPrivateId = (): string => randomBytes(15).toString('base64url');

export const privateIdOf = (socket: SocketWithAuth): string => (socket as unknown as Inside).pid;

/** Lets a socket that wanted to resume begin a session of its own: its client sees `recovered: false`. Before CONNECT is answered. */
export function beginAnew(socket: SocketWithAuth, pid: string): void {
  const inside = socket as unknown as Inside;
  inside.pid = pid;
  inside.recovered = false;
}

const onPurpose = new Set(['client namespace disconnect', 'server namespace disconnect']);

/** Whether a client whose connection ended for this reason may come back to its session: not when one of the two sides ended it on purpose. */
export const isResumable = (reason: string): boolean => !onPurpose.has(reason);
