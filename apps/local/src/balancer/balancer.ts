import type { Running } from '../cluster/supervise.ts';

/** A load balancer on 127.0.0.1: round robin per request, no affinity. */
export interface Balancer extends Running {
  /** The public ports of the gateways that take requests from now on. Open connections stay. */
  use(ports: readonly number[]): void;
}

export interface BalancerOptions {
  port: number;
  /** For its files. */
  folder: string;
  /** The gateways to begin with; at least one. */
  upstreams: readonly number[];
  onOutput: (text: string) => void;
  signal: AbortSignal;
}
