/**
 * Loaded before the `main.ts` of a process that runs with `--expose-gc`: on a message it collects the garbage and prints what is
 * left, with a number of its own for each answer.
 */
let answers = 0;
process.on('message', (message) => {
  if (typeof message !== 'object' || message === null || !('type' in message) || message.type !== 'measure') return;
  globalThis.gc?.();
  globalThis.gc?.();
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  answers += 1;
  const handles = process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;
  process.stdout.write(`measured ${JSON.stringify({ answers, bytes: heapUsed + external, arrayBuffers, sockets: handles })}\n`);
});

export {};
