import { Rejection } from '@skirmish/protocol';
import type { DirectoryOperation } from './directory-operations.ts';

/** What the script says of one operation. */
export interface Done {
  position: string;
  crowd: string[] | null;
  answer: unknown;
}

/** An operation on its way into a batch, and who waits for it. */
export interface Waiting {
  operation: DirectoryOperation;
  resolve: (done: Done) => void;
  reject: (error: Error) => void;
}

const ignore = (): void => undefined;

/** An operation that nobody waits for. */
export const unasked = (operation: DirectoryOperation): Waiting => ({ operation, resolve: ignore, reject: ignore });

export function refuse(waiting: Waiting[]): void {
  for (const { reject } of waiting) reject(new Rejection('server/unavailable'));
}

/** What makes the outcome of an operation certain, when nobody knows whether it was done. */
export function repairOf(operation: DirectoryOperation, position: string): DirectoryOperation | null {
  switch (operation.op) {
    case 'connect':
      return { op: 'disconnect', socketId: operation.socketId, resumable: operation.resume !== null };
    case 'reserve':
      return { op: 'moved', socketId: operation.socketId, room: operation.room, at: position, joined: false };
    case 'disconnect':
    case 'moved':
    case 'renew':
      return operation;
    // Rooms are written again as doubtful ones, seats by whoever asked, and prolonged they are the next time.
    default:
      return null;
  }
}

/** Under which key the script answers an operation. */
export function answerKeyOf(operation: DirectoryOperation): string {
  if (operation.op === 'reserve') return `${operation.socketId} ${operation.room}`;
  return 'socketId' in operation ? operation.socketId : '';
}
