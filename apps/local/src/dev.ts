import { runCluster } from './run-cluster.ts';
import { watchSources } from './watch-sources.ts';

process.exit(await runCluster('npm run dev', process.argv.slice(2), { fromSource: true, whileRunning: watchSources }));
