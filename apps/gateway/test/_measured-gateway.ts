import { parseOrExit } from '@skirmish/config';
import { announceReady } from '@skirmish/observability';
import { waitingOf } from '../src/connection/waiting-bytes.ts';
import { config, createGateway } from '../src/index.ts';

/**
 * A gateway that measures itself: on a message it answers with a line `measured {…}` of what is alive, after a collection if it is
 * asked for, of the CPU it used, of the most that ever waited for its clients, and of how late its own timer was at the worst.
 */
const gateway = await createGateway(parseOrExit(config));
announceReady({ role: 'gateway', id: gateway.incarnation, publicPort: gateway.publicPort, internalPort: gateway.internalPort });

const engine = gateway.realms[0]?.nsp.server.engine as unknown as { readonly clients: Readonly<Record<string, Parameters<typeof waitingOf>[0]>> };
let peakWaitingBytes = 0;
let lateMs = 0;
let lookedAtMs = performance.now();
setInterval(() => {
  const nowMs = performance.now();
  lateMs = Math.max(lateMs, nowMs - lookedAtMs - 20);
  lookedAtMs = nowMs;
  const sum = Object.values(engine.clients).reduce((total, conn) => total + (waitingOf(conn, Infinity)?.bytes ?? 0), 0);
  peakWaitingBytes = Math.max(peakWaitingBytes, sum);
}, 20);
process.on('message', ({ collect }: { readonly collect: boolean }) => {
  const { user, system } = process.cpuUsage();
  if (collect) globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  const measured = { liveBytes: heapUsed + external, cpuMs: (user + system) / 1000, peakWaitingBytes, lateMs, connections: Object.keys(engine.clients).length };
  peakWaitingBytes = 0;
  lateMs = 0;
  process.stdout.write(`measured ${JSON.stringify(measured)}\n`);
});
process.once('SIGTERM', () => {
  void gateway.stop('SIGTERM').finally(() => process.exit(0));
});
process.once('disconnect', () => process.exit(0));
