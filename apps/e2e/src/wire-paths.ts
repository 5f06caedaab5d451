import type { SourceFile } from './source-tree.ts';

const edgeFolders = ['connection', 'http', 'cluster'];

/** Event `<feature>:<verb>` is handled in `<app>/src/<feature>/on-<verb>.ts`; every such file handles an event of the table. */
export function checkEventPaths(files: readonly SourceFile[], app: string, events: readonly string[]): string[] {
  const expected = events.map((event) => ({ event, path: `${app}/src/${event.replace(':', '/on-')}.ts` }));
  const handlers = files
    .map((file) => file.path)
    .filter((path) => path.startsWith(`${app}/src/`) && /\/on-[a-z-]+\.ts$/.test(path))
    .filter((path) => !edgeFolders.includes(path.split('/')[3] ?? ''));
  return [
    ...expected.filter(({ path }) => !files.some((file) => file.path === path)).map(({ event, path }) => `event ${event}: ${path} does not exist`),
    ...handlers.filter((path) => !expected.some((entry) => entry.path === path)).map((path) => `${path}: no event of the table leads here`),
  ];
}

/** Job `<feature>.<verb>` is done in `<app>/src/<feature>/<verb>.ts`. */
export function checkJobPaths(files: readonly SourceFile[], app: string, jobs: readonly string[]): string[] {
  return jobs
    .map((job) => ({ job, path: `${app}/src/${job.replace('.', '/')}.ts` }))
    .filter(({ path }) => !files.some((file) => file.path === path))
    .map(({ job, path }) => `job ${job}: ${path} does not exist`);
}
