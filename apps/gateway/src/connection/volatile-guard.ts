import type { Adapter, BroadcastOptions } from 'socket.io-adapter';

export interface VolatileGuardOptions {
  /** Sockets that cannot follow; nearly always empty. */
  readonly slow: ReadonlySet<string>;
  /** Whether nothing ephemeral is sent now; counts what it drops. */
  readonly drops: () => boolean;
}

/** Volatile broadcasts to the sockets of this gateway leave out those that cannot follow, and are dropped under pressure. */
export function guardVolatile(adapter: Adapter, { slow, drops }: VolatileGuardOptions): void {
  const broadcast = adapter.broadcast.bind(adapter);
  adapter.broadcast = (packet: unknown, opts: BroadcastOptions) => {
    if (!opts.flags?.local || !opts.flags.volatile) broadcast(packet, opts);
    else if (!drops()) broadcast(packet, slow.size === 0 ? opts : { ...opts, except: new Set([...(opts.except ?? []), ...slow]) });
  };
}
