import { runCluster } from './run-cluster.ts';

process.exit(await runCluster('npm start', process.argv.slice(2), { fromSource: false }));
