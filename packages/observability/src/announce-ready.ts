/** What a process tells its parent when it can do its work, and again when its id changes. */
export interface ReadyMessage {
  readonly type: 'ready';
  readonly role: 'gateway' | 'combat-worker' | 'moderation-worker' | 'load-balancer' | 'console';
  /** The incarnation id of a gateway; for others any id that is new with each start. */
  readonly id: string;
  readonly publicPort?: number;
  readonly internalPort?: number;
}

/** Sends the message over the IPC channel; does nothing without a parent or when it has gone. */
export function announceReady(ready: Omit<ReadyMessage, 'type'>): void {
  if (process.send === undefined || !process.connected) return;
  const message: ReadyMessage = { type: 'ready', ...ready };
  // The parent may go at this moment; that is reported by the 'disconnect' event, not here.
  process.send(message, undefined, undefined, () => undefined);
}
