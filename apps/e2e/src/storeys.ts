import { foldersByPackageName, importsOf, targetOf } from './imports.ts';
import { isTest, isTypeScript, packageOf, type SourceFile } from './source-tree.ts';

/** The storey of each package and app. Imports go down only; two on the same storey never see each other. */
export const storeyOf: Readonly<Record<string, number>> = {
  'apps/e2e': 5,
  'apps/audit': 5,
  'apps/gateway': 4,
  'apps/combat-worker': 4,
  'apps/moderation-worker': 4,
  'apps/local': 4,
  'packages/backend-events': 3,
  'packages/queue': 3,
  'packages/emitter': 3,
  'packages/database': 3,
  'packages/testing': 2,
  'packages/observability': 1,
  'packages/redis': 1,
  'packages/auth': 1,
  'packages/protocol': 0,
  'packages/config': 0,
};

/** `packages/testing` is for development: only these may use it outside of tests. */
const developmentOnly = { folder: 'packages/testing', users: ['apps/local', 'apps/e2e', 'apps/audit'] };

function wrongArrow(from: string, to: string): string | undefined {
  const [fromStorey, toStorey] = [storeyOf[from], storeyOf[to]];
  if (fromStorey === undefined) return `${from} has no storey: add it to apps/e2e/src/storeys.ts`;
  if (toStorey === undefined) return `${to} has no storey: add it to apps/e2e/src/storeys.ts`;
  if (from === developmentOnly.folder) return 'packages/testing depends on no package of this repository';
  if (to === developmentOnly.folder && !developmentOnly.users.includes(from)) return 'packages/testing is for tests, apps/local and apps/audit';
  if (toStorey > fromStorey) return `from storey ${fromStorey} up to storey ${toStorey}; imports go down only`;
  if (toStorey === fromStorey) return `both on storey ${fromStorey}; neighbours never see each other`;
  return undefined;
}

/** Names every import of non-test code that does not go down a storey, and every relative import that leaves its package. */
export function checkArrows(files: readonly SourceFile[]): string[] {
  const folders = foldersByPackageName(files);
  return files.filter((file) => isTypeScript(file) && !isTest(file)).flatMap((file) => {
    const from = packageOf(file);
    if (from === undefined) return [];
    return importsOf(file).flatMap(({ specifier }) => {
      const target = targetOf(file, specifier, folders);
      const to = target === undefined ? undefined : packageOf({ path: target, text: '' });
      if (target === undefined || to === from) return [];
      if (to === undefined || specifier.startsWith('.')) return [`${file.path} → ${target}: a relative import leaves its package`];
      const reason = wrongArrow(from, to);
      return reason === undefined ? [] : [`${file.path} → ${specifier}: ${reason}`];
    });
  });
}

interface Manifest {
  name: string;
  dependencies?: Record<string, string>;
}

/** Names every dependency (not devDependency) in a package.json that does not go down a storey. */
export function checkDeclaredArrows(files: readonly SourceFile[]): string[] {
  const folders = foldersByPackageName(files);
  return files.filter((file) => /^(apps|packages)\/[^/]+\/package\.json$/.test(file.path)).flatMap((file) => {
    const from = packageOf(file) ?? '';
    return Object.keys((JSON.parse(file.text) as Manifest).dependencies ?? {}).flatMap((name) => {
      const to = folders.get(name);
      const reason = to === undefined ? undefined : wrongArrow(from, to);
      return reason === undefined ? [] : [`${file.path} → ${name}: ${reason}`];
    });
  });
}
