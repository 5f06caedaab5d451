import { describe, expect, it } from 'vitest';
import { checkImportCycles } from './import-cycles.ts';
import type { SourceFile } from './source-tree.ts';
import { checkArrows, checkDeclaredArrows, storeyOf } from './storeys.ts';

const manifests: SourceFile[] = Object.keys(storeyOf).map((folder) => ({
  path: `${folder}/package.json`,
  text: JSON.stringify({ name: `@skirmish/${folder.split('/')[1]}` }),
}));
const tree = (...files: [path: string, text: string][]): SourceFile[] => [...manifests, ...files.map(([path, text]) => ({ path, text }))];

describe('arrows between storeys', () => {
  it('allows what goes down, also over several storeys, and third parties', () => {
    const text = "import { a } from '@skirmish/redis';\nimport type { B } from '@skirmish/protocol';\nimport { c } from 'pino';\nimport { d } from './d.ts';\n";
    expect(checkArrows(tree(['packages/queue/src/lane.ts', text]))).toEqual([]);
  });

  it.each([
    ['a plain import', "import { emit } from '@skirmish/emitter';"],
    ['a type', "import type { Emitter } from '@skirmish/emitter';"],
    ['a re-export', "export { emit } from '@skirmish/emitter';"],
    ['an import over several lines', "import {\n  emit,\n  join,\n} from '@skirmish/emitter';"],
    ['an import for its effect', "import '@skirmish/emitter';"],
    ['a dynamic import', "const emitter = await import('@skirmish/emitter');"],
  ])('names an arrow that points upward: %s', (_, text) => {
    expect(checkArrows(tree(['packages/redis/src/keys.ts', text]))).toEqual([
      'packages/redis/src/keys.ts → @skirmish/emitter: from storey 1 up to storey 3; imports go down only',
    ]);
  });

  it('names neighbours that see each other, apps included', () => {
    expect(checkArrows(tree(['packages/queue/src/a.ts', "import { x } from '@skirmish/database';"]))[0]).toContain('both on storey 3');
    expect(checkArrows(tree(['apps/combat-worker/src/a.ts', "import { x } from '@skirmish/gateway';"]))[0]).toContain('both on storey 4');
  });

  it('names a relative import that leaves its package', () => {
    expect(checkArrows(tree(['apps/gateway/src/chat/a.ts', "import { x } from '../../../../packages/redis/src/keys.ts';"]))).toEqual([
      'apps/gateway/src/chat/a.ts → packages/redis/src/keys.ts: a relative import leaves its package',
    ]);
  });

  it('keeps packages/testing out of what is shipped, and on its own', () => {
    expect(checkArrows(tree(['apps/gateway/src/a.ts', "import { x } from '@skirmish/testing';"]))[0]).toContain('is for tests');
    expect(checkArrows(tree(['packages/testing/src/a.ts', "import { x } from '@skirmish/redis';"]))[0]).toContain('depends on no package');
    expect(checkArrows(tree(['apps/local/src/a.ts', "import { x } from '@skirmish/testing';"]))).toEqual([]);
  });

  it('lets tests look where they like', () => {
    const text = "import { x } from '@skirmish/testing';";
    expect(checkArrows(tree(['packages/redis/src/a.test.ts', text], ['packages/redis/test/b.ts', text]))).toEqual([]);
  });

  it('asks for a storey for a new package', () => {
    const added = { path: 'packages/new/package.json', text: '{"name":"@skirmish/new"}' };
    expect(checkArrows([...tree(['packages/queue/src/a.ts', "import { x } from '@skirmish/new';"]), added])[0]).toContain('has no storey');
  });

  it('reads declared dependencies too, but not development ones', () => {
    const text = JSON.stringify({ name: '@skirmish/redis', dependencies: { '@skirmish/queue': 'workspace:*' }, devDependencies: { '@skirmish/testing': 'workspace:*' } });
    const files = [...manifests.filter((file) => file.path !== 'packages/redis/package.json'), { path: 'packages/redis/package.json', text }];
    expect(checkDeclaredArrows(files)).toEqual(['packages/redis/package.json → @skirmish/queue: from storey 1 up to storey 3; imports go down only']);
  });
});

describe('circles of imports', () => {
  it('are named once, within a package and across packages', () => {
    const circle = tree(
      ['packages/redis/src/a.ts', "import { b } from './b.ts';"],
      ['packages/redis/src/b.ts', "import { c } from './c.ts';"],
      ['packages/redis/src/c.ts', "import type { A } from './a.ts';"],
    );
    expect(checkImportCycles(circle)).toEqual(['packages/redis/src/a.ts → packages/redis/src/b.ts → packages/redis/src/c.ts → packages/redis/src/a.ts']);
    const across = tree(
      ['packages/queue/src/index.ts', "export { a } from '@skirmish/redis';"],
      ['packages/redis/src/index.ts', "export { b } from '@skirmish/queue';"],
    );
    expect(checkImportCycles(across)).toHaveLength(1);
  });

  it('are not seen where two files share what they import', () => {
    const diamond = tree(
      ['packages/redis/src/a.ts', "import './b.ts';\nimport './c.ts';"],
      ['packages/redis/src/b.ts', "import './d.ts';"],
      ['packages/redis/src/c.ts', "import './d.ts';"],
      ['packages/redis/src/d.ts', ''],
    );
    expect(checkImportCycles(diamond)).toEqual([]);
  });
});
