import type { Health } from '@skirmish/observability';
import type { GatewayConfig } from '../config.ts';
import type { GatewayMetrics } from '../metrics.ts';
import { claimantOf } from '../zone/claimant.ts';
import type { Zones } from '../zone/zones.ts';
import { type LoopDelay, watchLoopDelay } from './loop-delay.ts';
import { collectGarbage, createMemoryUse, type MemoryUse } from './memory-use.ts';
import { Pressure } from './pressure.ts';
import { emitDirect } from './redis-adapter.ts';
import type { Sessions } from './sessions.ts';
import { SlowConsumers } from './slow-consumers.ts';

/** What says how loaded a process is. */
export interface LoadFigures {
  memory(): MemoryUse;
  loopDelayMs(): number;
  collect(): void;
  stop(): void;
}

/** How a gateway bounds itself: against clients that do not read, and as a whole. */
export interface Overload {
  readonly slow: SlowConsumers;
  readonly pressure: Pressure;
  /** Whether an ephemeral event must not be sent now; counts it then. */
  readonly dropsEphemeral: () => boolean;
  start(): void;
  stop(): void;
}

/** The part of a realm that is needed here; the whole of it knows this file. */
interface Served {
  readonly sessions: Sessions;
  readonly zones: Zones;
}

export interface OverloadParts {
  readonly config: GatewayConfig;
  readonly metrics: GatewayMetrics;
  readonly health: Health;
  readonly load: LoadFigures;
  /** Filled while the gateway starts. */
  readonly realms: readonly Served[];
}

/** The figures of this process. */
export function ownFigures(): LoadFigures {
  // From the first look on: what a start takes is no overload.
  let delay: LoopDelay | null = null;
  return { memory: createMemoryUse(), loopDelayMs: () => (delay ??= watchLoopDelay()).p99Ms(), collect: collectGarbage, stop: () => { delay?.stop(); } };
}

/** Makes both watchers; nothing is measured before `start`. */
export function createOverload({ config, metrics, health, load, realms }: OverloadParts): Overload {
  const slow = new SlowConsumers({
    softBytesMax: config.socketSoftBytesMax,
    hardBytesMax: config.socketHardBytesMax,
    onSlow: (socketId) => { metrics.report('slow-consumer', {}, { socketId }); },
    onCaughtUp: (socketId) => { sendNewestState(realms, socketId); },
    onClosed: (reason, { transport, waitingBytes }) => { metrics.report('slow-consumer-closed', { reason, transport }, { waitingBytes }); },
  });
  const pressure = new Pressure({
    memory: () => load.memory(),
    loopDelayMs: () => load.loopDelayMs(),
    collect: () => { load.collect(); },
    memorySoftRatio: config.memorySoftRatio,
    loopDelayMaxMs: config.eventLoopDelayMaxMs,
    onChange: (kind, high, value) => { metrics.report(high ? 'pressure-began' : 'pressure-ended', { kind }, { value }); },
  });
  health.register('pressure', () => pressure.check());
  return {
    slow,
    pressure,
    dropsEphemeral: () => {
      if (pressure.isHigh) metrics.ephemeralDropped.inc();
      return pressure.isHigh;
    },
    start: () => {
      slow.start();
      pressure.start();
    },
    stop: () => {
      slow.stop();
      pressure.stop();
      load.stop();
    },
  };
}

/** A client that got no ticks for a while gets the whole zone once. */
function sendNewestState(realms: readonly Served[], socketId: string): void {
  for (const { sessions, zones } of realms) {
    const session = sessions.get(socketId);
    const zone = session && claimantOf(session) && session.player.character ? zones.of(session.player.character.zone.id) : null;
    if (session && zone) emitDirect(session.socket, 'zone:tick', zones.snapshot(zone));
  }
}
