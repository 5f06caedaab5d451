import { Socket } from 'node:net';

/** Listening servers, connections and child processes. Timers are not among them: libraries keep some that end by themselves. */
const counted = new Set(['TCPServerWrap', 'TCPSocketWrap', 'ProcessWrap']);

/**
 * Returns the kinds of handles that keep this process alive now and that a test has to close. A connection that was reset while its end was on the way
 * is none of them: Node destroys it, but leaves its handle open for ever.
 */
export function openHandles(): string[] {
  const kinds = process.getActiveResourcesInfo().filter((name) => counted.has(name));
  const destroyed = sockets().filter((socket) => socket.destroyed).length;
  const connections = kinds.filter((name) => name === 'TCPSocketWrap').slice(destroyed);
  return [...kinds.filter((name) => name !== 'TCPSocketWrap'), ...connections];
}

/** Returns a line for each open connection that says where it leads, to find who forgot it. */
export function openConnections(): string[] {
  // The others are pipes.
  return sockets().filter(({ localPort, destroyed }) => localPort !== undefined && !destroyed).map(lineOf);
}

type ListedSocket = Socket & { readonly server?: unknown };

/** Node has no public list of them. */
function sockets(): ListedSocket[] {
  const { _getActiveHandles: list } = process as unknown as { _getActiveHandles?: () => unknown[] };
  return (list?.call(process) ?? []).filter((handle) => handle instanceof Socket);
}

function lineOf({ localPort, remotePort, readyState, bytesRead, bytesWritten, server }: ListedSocket): string {
  const ends = server ? `accepted at ${localPort} from ${remotePort}` : `from ${localPort} to ${remotePort}`;
  return `${ends}: ${readyState}, ${bytesRead} B read, ${bytesWritten} B written`;
}
