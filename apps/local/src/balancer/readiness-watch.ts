import { request } from 'node:http';

export interface ReadinessWatchOptions {
  /** The public ports of all gateways that run now. */
  ports: () => readonly number[];
  /** Hears the ports that should take requests, whenever that changes; never an empty list. */
  onChange: (ready: readonly number[]) => void;
  intervalMs?: number;
  /** A gateway that is silent this long is frozen, or as good as. */
  timeoutMs?: number;
  /** So many silences in a row count; a refusal or a 503 counts at once. */
  silencesMax?: number;
}

/** Asks the `/readyz` of each gateway again and again. */
export interface ReadinessWatch {
  stop(): void;
}

type Answer = 'ready' | 'unready' | 'silent';

/** Starts to ask; the timer belongs to the caller, who calls `stop`. */
export function watchReadiness(options: ReadinessWatchOptions): ReadinessWatch {
  const { intervalMs = 500, timeoutMs = 1_500, silencesMax = 2 } = options;
  const silences = new Map<number, number>();
  let last: string | null = null;
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;

  const look = async (): Promise<void> => {
    const ports = options.ports();
    const answers = await Promise.all(ports.map(async (port) => [port, await ask(port, timeoutMs)] as const));
    const ready = answers.filter(([port, answer]) => {
      silences.set(port, answer === 'silent' ? (silences.get(port) ?? 0) + 1 : 0);
      return answer === 'ready' || (answer === 'silent' && (silences.get(port) ?? 0) < silencesMax);
    });
    // With none ready the balancer keeps the ones it has: a refusal of theirs says more than one of its own.
    const list = ready.map(([port]) => port).sort((a, b) => a - b);
    if (!stopped && list.length > 0 && list.join() !== last) {
      last = list.join();
      options.onChange(list);
    }
  };
  const again = (): void => {
    if (!stopped) timer = setTimeout(() => void look().finally(again), intervalMs);
  };
  again();
  return {
    stop: () => {
      stopped = true;
      clearTimeout(timer);
    },
  };
}

function ask(port: number, timeoutMs: number): Promise<Answer> {
  return new Promise((resolve) => {
    const asking = request({ host: '127.0.0.1', port, path: '/readyz', timeout: timeoutMs, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200 ? 'ready' : 'unready');
    });
    asking.once('timeout', () => {
      resolve('silent');
      asking.destroy();
    });
    asking.once('error', () => resolve('unready'));
    asking.end();
  });
}
