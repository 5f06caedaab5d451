import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

// Below the range that operating systems use for outgoing connections: a port that is free now cannot be taken as a source
// port while a test has its server down for a moment.
const portMin = 10_240;
const portMax = 32_000;
const triesMax = 200;

/** Resolves to a loopback TCP port that nobody listens on now; another process may still take it, so servers started on it should retry. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < triesMax; tries += 1) {
    const port = randomInt(portMin, portMax);
    if (await isPortFree(port)) return port;
  }
  throw new Error(`no free port found between ${portMin} and ${portMax} in ${triesMax} tries`);
}

/** Says whether a server could listen on this port of `host` (default 127.0.0.1) now. */
export function isPortFree(port: number, host = '127.0.0.1'): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => {
      resolve(false);
    });
    server.listen({ port, host, exclusive: true }, () => {
      server.close(() => {
        resolve(true);
      });
    });
  });
}
