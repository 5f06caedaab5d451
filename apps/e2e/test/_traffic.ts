import { fileURLToPath } from 'node:url';
import type { RoomName } from '@skirmish/protocol';
import { eventually, startProcess } from '@skirmish/testing';
import type { Emission } from './_delivery-checker.ts';
import type { TrafficOrder, TrafficReport } from './_numbered-worker.ts';

/** Numbered critical events from processes of their own, and the truth about them. */
export interface Traffic extends AsyncDisposable {
  /** Every emission that has its id, in no particular order; complete after `pause`. */
  readonly emissions: readonly Emission[];
  /** Spreads these rates over the workers; what ran before ends. Forgets the earlier emissions. */
  start(rooms: readonly { room: RoomName; perSecond: number }[]): void;
  /** Resolves when nothing is emitted any more and `emissions` is complete. */
  pause(): Promise<void>;
}

/** Starts the emitting workers; `env` is that of the cluster. */
export async function startTraffic(env: Readonly<Record<string, string>>, workers = 2): Promise<Traffic> {
  const emissions: Emission[] = [];
  const failures: string[] = [];
  let stopped = 0;
  const hear = (line: string): void => {
    if (!line.startsWith('{"emitted"') && !line.startsWith('{"stopped"') && !line.startsWith('{"failed"')) return;
    const report = JSON.parse(line) as TrafficReport;
    if ('emitted' in report) emissions.push(...report.emitted);
    else if ('failed' in report) failures.push(report.failed);
    else stopped += 1;
  };
  const start = async () => {
    let rest = '';
    return startProcess({
      name: 'numbered worker',
      entry: fileURLToPath(new URL('_numbered-worker.ts', import.meta.url)),
      env,
      onOutput: (text) => {
        const lines = (rest + text).split('\n');
        rest = lines.pop() ?? '';
        lines.forEach(hear);
      },
    });
  };
  const processes = await Promise.all(Array.from({ length: workers }, start));
  let runs = 0;
  return {
    emissions,
    start: (rooms) => {
      emissions.length = 0;
      runs += 1;
      for (const [index, process] of processes.entries()) {
        const share = rooms.map(({ room, perSecond }) => ({ room, perSecond: perSecond / workers }));
        process.send({ type: 'start', sender: `run-${runs}-worker-${index + 1}`, rooms: share } satisfies TrafficOrder);
      }
    },
    pause: async () => {
      stopped = 0;
      for (const process of processes) process.send({ type: 'stop' } satisfies TrafficOrder);
      await eventually(() => stopped === workers, { timeoutMs: 30_000, what: 'the end of the traffic' });
      if (failures.length > 0) throw new Error(`emissions failed: ${failures.slice(0, 3).join('; ')}`);
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(processes.map((process) => process.stop()));
    },
  };
}
