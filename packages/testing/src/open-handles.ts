/** Listening servers, connections and child processes. Timers are not among them: libraries keep some that end by themselves. */
const counted = new Set(['TCPServerWrap', 'TCPSocketWrap', 'ProcessWrap']);

/** Returns the kinds of handles that keep this process alive now and that a test has to close. */
export function openHandles(): string[] {
  return process.getActiveResourcesInfo().filter((name) => counted.has(name));
}
