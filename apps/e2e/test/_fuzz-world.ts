import { join } from 'node:path';
import { eventually, startProcess, timePasses } from '@skirmish/testing';
import type { ManagedProcess } from '@skirmish/testing';
import { repositoryRoot } from '../src/index.ts';
import { startCluster } from './_cluster.ts';
import type { Cluster } from './_cluster.ts';
import type { Player } from './_player.ts';

export interface Measured {
  answers: number;
  /** Heap and what hangs on it outside, after a garbage collection. */
  bytes: number;
  arrayBuffers: number;
  sockets: number;
}

/** A gateway as its `main.ts` starts it, that can be asked for its memory, with an ordinary player beside the fuzz. */
export interface FuzzWorld extends AsyncDisposable {
  readonly cluster: Cluster;
  readonly gateway: ManagedProcess;
  readonly url: string;
  measure(): Promise<Measured>;
  /** Events by outcome, over all events: what the handlers saw. */
  outcomes(): Promise<Record<string, number>>;
  /** Repeats a check until connections that were left lying have timed out. */
  settles(check: () => Promise<void>): Promise<void>;
  stop(): Promise<void>;
}

const fuzzers = 64;

export async function startFuzzWorld(env: Record<string, string>): Promise<FuzzWorld> {
  const cluster = await startCluster({ gateways: 0, combatWorkers: 0, moderationWorkers: 0, players: fuzzers + 10, env: { LOG_LEVEL: 'error', ...env } });
  const gateway = await startProcess({
    name: 'gateway',
    entry: join(repositoryRoot, 'apps', 'gateway', 'src', 'main.ts'),
    env: cluster.env,
    nodeArgs: ['--conditions=skirmish-source', '--expose-gc', '--import', new URL('_measured-process.ts', import.meta.url).href],
  });
  const url = `http://127.0.0.1:${gateway.ready.publicPort ?? 0}`;
  const internalUrl = `http://127.0.0.1:${gateway.ready.internalPort ?? 0}`;
  cluster.gateways.push({ url, internalUrl, incarnation: gateway.ready.id, process: gateway });
  const stop = async (): Promise<void> => {
    await gateway.stop();
    await cluster.stop();
  };
  const settles = (check: () => Promise<void>): Promise<void> => eventually(check, { timeoutMs: 30_000, intervalMs: 500, what: 'memory to be as before' });
  return { cluster, gateway, url, settles, measure: () => measure(gateway), outcomes: () => readOutcomes(internalUrl), stop, [Symbol.asyncDispose]: stop };
}

const lastMeasured = (gateway: ManagedProcess): Measured | null => {
  const found = [...gateway.output().matchAll(/^measured (\{.*\})$/gm)].at(-1)?.[1];
  return found === undefined ? null : (JSON.parse(found) as Measured);
};

/** The lowest of a few measurements: what is on its way to be freed does not count. */
async function measure(gateway: ManagedProcess): Promise<Measured> {
  const all: Measured[] = [];
  for (let round = 0; round < 3; round++) {
    const before = lastMeasured(gateway)?.answers ?? 0;
    gateway.send({ type: 'measure' });
    all.push(await eventually(() => {
      const measured = lastMeasured(gateway);
      if (measured === null || measured.answers === before) throw new Error('no answer yet');
      return measured;
    }, { timeoutMs: 20_000, what: 'a measurement' }));
    await timePasses(100, 'what is on its way ends');
  }
  return all.reduce((lowest, next) => (next.bytes < lowest.bytes ? next : lowest));
}

async function readOutcomes(internalUrl: string): Promise<Record<string, number>> {
  const text = await (await fetch(`${internalUrl}/metrics`)).text();
  const sums: Record<string, number> = {};
  for (const [, labels = '', count = '0'] of text.matchAll(/^skirmish_event_seconds_count\{([^}]*)\} (\d+)/gm)) {
    const outcome = /outcome="(\w+)"/.exec(labels)?.[1] ?? 'unknown';
    sums[outcome] = (sums[outcome] ?? 0) + Number(count);
  }
  for (const [, event = '', count = '0'] of text.matchAll(/^skirmish_event_(refused|failed)_total\{[^}]*\} (\d+)/gm)) sums[event] = (sums[event] ?? 0) + Number(count);
  return sums;
}

/** An ordinary player who asks all the time; whatever happens beside it, each question has its answer. */
export interface Bystander {
  stop(): Promise<{ asked: number; answered: number; slowestMs: number; disconnects: readonly string[] }>;
}

export function playBeside(player: Player): Bystander {
  const stopping = new AbortController();
  let asked = 0;
  let answered = 0;
  let slowestMs = 0;
  const playing = (async () => {
    while (!stopping.signal.aborted) {
      asked += 1;
      const startedAtMs = performance.now();
      const answer = await player.send('session:ping', { atMs: asked }).catch(() => null);
      if (answer?.ok === true && answer.data.atMs === asked) answered += 1;
      slowestMs = Math.max(slowestMs, performance.now() - startedAtMs);
      await timePasses(100, 'the pace of a player');
    }
  })();
  return {
    stop: async () => {
      stopping.abort();
      await playing;
      return { asked, answered, slowestMs, disconnects: player.disconnects };
    },
  };
}
