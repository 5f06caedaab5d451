import { readdirSync, watch, existsSync } from 'node:fs';
import { join } from 'node:path';
import type { AppProcess } from './cluster/app-processes.ts';
import type { Cluster } from './cluster/create-cluster.ts';
import { repositoryRoot } from './local-folder.ts';
import { say } from './terminal.ts';

const settleMs = 200;

/** Restarts the processes whose sources change, gateways one after the other; a change of a package restarts all. Returns the end of it. */
export function watchSources(cluster: Pick<Cluster, 'apps'>, root = repositoryRoot): () => void {
  const changed = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  let restarting = Promise.resolve();
  const settle = (): void => {
    const folders = [...changed];
    changed.clear();
    restarting = restarting.then(() => restart(affected(cluster.apps, folders), folders));
  };
  const watchers = sourceFolders(root).map((folder) =>
    watch(join(root, folder), { recursive: true }, (_event, file) => {
      if (file === null || !isSource(file)) return;
      changed.add(folder);
      clearTimeout(timer);
      timer = setTimeout(settle, settleMs);
    }),
  );
  say(`watching the sources: a change restarts what it concerns`);
  return () => {
    clearTimeout(timer);
    for (const watcher of watchers) watcher.close();
  };
}

/** The processes that run a source of these folders (`apps/<role>/src`, `packages/<name>/src`). */
export function affected<A extends Pick<AppProcess, 'role'>>(apps: readonly A[], folders: readonly string[]): A[] {
  if (folders.some((folder) => folder.startsWith('packages/'))) return [...apps];
  return apps.filter(({ role }) => folders.includes(`apps/${role}/src`));
}

async function restart(apps: readonly AppProcess[], folders: readonly string[]): Promise<void> {
  if (apps.length === 0) return;
  say(`${folders.join(', ')} changed: restarting ${apps.map(({ name }) => name).join(', ')}`);
  for (const app of apps) await app.restart();
}

const isSource = (file: string): boolean => /\.(ts|json|lua|sql)$/.test(file) && !file.endsWith('.test.ts');

/** Not packages/testing and apps/local: they run us. */
function sourceFolders(root: string): string[] {
  return ['apps', 'packages'].flatMap((group) =>
    readdirSync(join(root, group))
      .map((name) => `${group}/${name}/src`)
      .filter((folder) => !/^(apps\/(local|e2e)|packages\/testing)\//.test(folder) && existsSync(join(root, folder))),
  );
}
