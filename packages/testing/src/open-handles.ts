import { Socket } from 'node:net';

/** Listening servers, connections and child processes. Timers are not among them: libraries keep some that end by themselves. */
const counted = new Set(['TCPServerWrap', 'TCPSocketWrap', 'ProcessWrap']);

/** Returns the kinds of handles that keep this process alive now and that a test has to close. */
export function openHandles(): string[] {
  return process.getActiveResourcesInfo().filter((name) => counted.has(name));
}

/** Returns a line for each open connection that says where it leads, to find who forgot it; Node has no public list of them. */
export function openConnections(): string[] {
  const { _getActiveHandles: list } = process as unknown as { _getActiveHandles?: () => unknown[] };
  const sockets = (list?.call(process) ?? []).filter((handle) => handle instanceof Socket && handle.remotePort !== undefined) as Socket[];
  return sockets.map(({ localPort, remotePort, readyState, destroyed, bytesRead, bytesWritten, server }: Socket & { server?: unknown }) =>
    `${server ? 'accepted at' : 'from'} ${localPort} ${server ? 'from' : 'to'} ${remotePort}: ${destroyed ? 'destroyed' : readyState}, ${bytesRead} B read, ${bytesWritten} B written`);
}
