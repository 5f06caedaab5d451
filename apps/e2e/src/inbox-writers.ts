import { isTest, isTypeScript, type SourceFile } from './source-tree.ts';

/** The routing script, the mark that opens an inbox, and the adapter's client, which refuses it. */
const allowed = new Set([
  'packages/emitter/src/route-script.ts',
  'apps/gateway/src/cluster/registry-scripts.ts',
  'packages/redis/src/adapter-redis.ts',
  // A stream of its own with ids of its own.
  'packages/backend-events/src/append-script.ts',
]);

/**
 * Complains about code that appends to a stream outside the routing script. An entry with a foreign id in an inbox or a room log would
 * break the one order: later ids of the realm clock are refused by that stream. Backend streams with ids of their own need an entry here.
 */
export function checkInboxWriters(files: readonly SourceFile[]): string[] {
  return files
    .filter((file) => isTypeScript(file) && !isTest(file) && !allowed.has(file.path) && file.path !== 'apps/e2e/src/inbox-writers.ts')
    .filter(({ text }) => /\bxadd\b/i.test(text))
    .map(({ path }) => `${path} appends to a stream: only the routing script writes to inboxes and room logs`);
}
