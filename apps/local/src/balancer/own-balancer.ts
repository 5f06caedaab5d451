import { fileURLToPath } from 'node:url';
import { startProcess } from '@skirmish/testing';
import type { Balancer, BalancerOptions } from './balancer.ts';

/** Starts our own reverse proxy in a process of its own. */
export async function startOwnBalancer(options: BalancerOptions): Promise<Balancer> {
  const child = await startProcess({
    name: 'load balancer',
    entry: fileURLToPath(new URL('./main.ts', import.meta.url)),
    args: [String(options.port), options.upstreams.join()],
    onOutput: options.onOutput,
    signal: options.signal,
  });
  return {
    pid: child.pid,
    exited: child.exited,
    stop: (timeoutMs) => child.stop(timeoutMs),
    use: (ports) => {
      child.send({ type: 'upstreams', ports });
    },
  };
}
