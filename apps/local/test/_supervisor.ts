import { createCluster } from '../src/cluster/create-cluster.ts';
import { readClusterSize } from '../src/cluster/cluster-options.ts';
import { aborted, stopRequest } from '../src/stop-request.ts';
import { explain } from '../src/trouble.ts';

/** What `npm start` runs, from the sources and in a folder of the test's own: `_supervisor.ts <folder> <nginx|own> [flags]`. */
const [folder = '', balancer = 'own', ...flags] = process.argv.slice(2);
const signal = stopRequest();
try {
  const options = { ...readClusterSize('start', flags), folder, fromSource: true, balancer: balancer === 'nginx' ? 'nginx' : 'own' } as const;
  const report = (line: string): void => void process.stdout.write(`${line}\n`);
  const cluster = await createCluster({ ...options, step: (_what, work) => work(), report }, signal);
  process.send?.({ type: 'ready', id: 'supervisor' });
  await aborted(signal);
  await cluster.stop();
  process.exit(0);
} catch (error) {
  process.exit(explain(error));
}
