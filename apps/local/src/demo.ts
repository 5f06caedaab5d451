import { freePort } from '@skirmish/testing';
import { lockHolder } from '../bootstrap/lock.mjs';
import { readClusterFile, type ClusterDescription } from './cluster/cluster-file.ts';
import { readClusterSize } from './cluster/cluster-options.ts';
import { createCluster } from './cluster/create-cluster.ts';
import { readFlags } from './flags.ts';
import { localFolder } from './local-folder.ts';
import { step } from './step.ts';
import { stopRequest, StopRequested } from './stop-request.ts';
import { createNarrator } from './story/narrator.ts';
import { tellStory } from './story/tell-story.ts';
import { complain, say } from './terminal.ts';
import { explain } from './trouble.ts';

/** Tells the story on the cluster that runs here, or on one that lives as long as the story. */
async function demo(args: readonly string[], signal: AbortSignal): Promise<void> {
  const { realm } = readFlags('npm run demo', { realm: { default: 'main', description: 'where the players meet' } }, args);
  const running = lockHolder(`${localFolder}/start.lock`) === null ? null : readClusterFile(localFolder);
  if (running !== null) return story(running, realm);
  say('no cluster runs here: starting one for the story');
  const size = { ...readClusterSize('npm run demo', []), port: await freePort(), realms: [realm] };
  await using cluster = await createCluster({ ...size, folder: localFolder, fromSource: false, step, report: say }, signal);
  await story(cluster.describe(), realm);
}

async function story(cluster: ClusterDescription, realm: string): Promise<void> {
  await tellStory({ cluster, realm, narrator: createNarrator() });
  say('the demo is done');
}

const signal = stopRequest();
const stopped = new Promise<never>((_resolve, reject) => {
  signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
});
try {
  await Promise.race([demo(process.argv.slice(2), signal), stopped]);
  process.exit(0);
} catch (error) {
  if (error instanceof StopRequested) complain('the demo was stopped before its end');
  process.exit(explain(error instanceof StopRequested ? new Error('stopped') : error));
}
