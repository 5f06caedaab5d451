import { createCluster, type Cluster } from './cluster/create-cluster.ts';
import { readClusterSize } from './cluster/cluster-options.ts';
import { localFolder } from './local-folder.ts';
import { step } from './step.ts';
import { aborted, stopRequest, StopRequested } from './stop-request.ts';
import { readableDuration, say } from './terminal.ts';
import { explain } from './trouble.ts';

export interface RunOptions {
  fromSource: boolean;
  /** Called when everything answers; what it returns is called before the end. */
  whileRunning?: (cluster: Cluster) => () => void;
}

/** Runs the cluster until somebody asks for its end; resolves to the exit code. */
export async function runCluster(command: string, args: readonly string[], options: RunOptions): Promise<number> {
  const startedAt = performance.now();
  const signal = stopRequest();
  try {
    const size = readClusterSize(command, args);
    const cluster = await createCluster({ ...size, folder: localFolder, fromSource: options.fromSource, step, report: say }, signal);
    say(`started in ${readableDuration(performance.now() - startedAt)}; logs are in .local/logs, Ctrl-C stops everything`);
    say(`ready ${cluster.url}`);
    const end = options.whileRunning?.(cluster);
    await aborted(signal);
    const stoppingAt = performance.now();
    end?.();
    await cluster.stop();
    say(`stopped in ${readableDuration(performance.now() - stoppingAt)}`);
    return 0;
  } catch (error) {
    if (error instanceof StopRequested) return 0;
    return explain(error);
  }
}
