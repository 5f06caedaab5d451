import { describe, expect, it } from 'vitest';
import { checkEnvironmentExample } from './environment-example.ts';
import { checkLockFile, checkMachineTraces, checkTests } from './repository-hygiene.ts';
import { checkCommandTable, checkPackageTable, checkReadmePaths, checkSeedFileMap, tableBelow } from './root-readme.ts';
import type { SourceFile } from './source-tree.ts';
import { checkEventPaths, checkJobPaths } from './wire-paths.ts';

const table = (heading: string, ...rows: string[]): string => `# Title\n\n## ${heading}\n\nText.\n\n| a | b |\n|---|---|\n${rows.join('\n')}\n\n## Next\n\n| c | d |\n|---|---|\n| e | f |\n`;
const tree = (readme: string, ...paths: string[]): SourceFile[] => [{ path: 'README.md', text: readme }, ...paths.map((path) => ({ path, text: '{}' }))];

describe('the README of the root', () => {
  it('has its tables found by heading, up to the next heading', () => {
    expect(tableBelow(table('Packages', '| one | two |'), 'Packages')).toEqual([['one', 'two']]);
    expect(tableBelow(table('Packages', '| one | two |'), 'Absent')).toEqual([]);
  });

  it('lists the packages that exist, all and no others', () => {
    const readme = table('Packages', '| [`packages/redis`](packages/redis) | keys |');
    expect(checkPackageTable(tree(readme, 'packages/redis/package.json'))).toEqual([]);
    expect(checkPackageTable(tree(readme, 'packages/redis/package.json', 'apps/gateway/package.json'))).toEqual(['README.md, "Packages": apps/gateway is missing']);
    expect(checkPackageTable(tree(readme))).toEqual(['README.md, "Packages": packages/redis does not exist']);
  });

  it('maps the files of the seed to files and folders that exist', () => {
    const readme = table('Where the files of the seed went', '| `chatHandler` | `apps/gateway/src/chat/` |', '| `logger` | somewhere |');
    expect(checkSeedFileMap(tree(readme, 'apps/gateway/src/chat/on-send.ts'), ['chatHandler', 'logger', 'redisAdapter'])).toEqual([
      'README.md, seed-file map: redisAdapter is missing',
      'README.md, seed-file map: `logger` leads nowhere',
    ]);
    expect(checkSeedFileMap(tree(readme), ['chatHandler'])).toContain('README.md, seed-file map: apps/gateway/src/chat/ does not exist');
  });

  it('and any other name paths that exist', () => {
    const readme = { path: 'packages/redis/README.md', text: 'See [keys](src/keys.ts), [the web](https://example.org/a) and `packages/redis/src/gone.ts`.' };
    expect(checkReadmePaths([readme, { path: 'packages/redis/src/keys.ts', text: '' }])).toEqual(['packages/redis/README.md: packages/redis/src/gone.ts does not exist']);
    expect(checkReadmePaths([readme])).toHaveLength(2);
  });

  it('lists every command of package.json', () => {
    const manifest = { path: 'package.json', text: '{"scripts":{"start":"x","test:e2e":"y"}}' };
    expect(checkCommandTable([{ path: 'README.md', text: table('Commands', '| `npm start` | a |', '| `npm run test:e2e -- --long` | b |') }, manifest])).toEqual([]);
    expect(checkCommandTable([{ path: 'README.md', text: table('Commands', '| `npm start` | a |', '| `npm run gone` | b |') }, manifest])).toEqual([
      'README.md, "Commands": test:e2e is missing',
      'README.md, "Commands": package.json has no gone',
    ]);
  });
});

describe('wire names and paths', () => {
  const files = tree('', 'apps/gateway/src/chat/on-send.ts', 'apps/gateway/src/connection/on-frame.ts');

  it('lead to one another, both ways', () => {
    expect(checkEventPaths(files, 'apps/gateway', ['chat:send'])).toEqual([]);
    expect(checkEventPaths(files, 'apps/gateway', ['chat:send', 'combat:act'])).toEqual(['event combat:act: apps/gateway/src/combat/on-act.ts does not exist']);
    expect(checkEventPaths(files, 'apps/gateway', [])).toEqual(['apps/gateway/src/chat/on-send.ts: no event of the table leads here']);
  });

  it('hold for jobs', () => {
    const worker = tree('', 'apps/combat-worker/src/combat/act.ts');
    expect(checkJobPaths(worker, 'apps/combat-worker', ['combat.act'])).toEqual([]);
    expect(checkJobPaths(worker, 'apps/combat-worker', ['combat.start'])).toEqual(['job combat.start: apps/combat-worker/src/combat/start.ts does not exist']);
  });
});

describe('.env.example', () => {
  it('lists what the apps read, once, and nothing else', () => {
    const example = '# the port\nSOCKET_PORT=3000\n# JWT_ISSUER=\n';
    expect(checkEnvironmentExample(example, { gateway: ['SOCKET_PORT', 'JWT_ISSUER'], worker: ['JWT_ISSUER'] })).toEqual([]);
    expect(checkEnvironmentExample(example, { gateway: ['SOCKET_PORT', 'REALMS'] })).toEqual([
      '.env.example: REALMS of gateway is missing',
      '.env.example: no app reads JWT_ISSUER',
    ]);
    expect(checkEnvironmentExample('A=1\nA=2\n', { gateway: ['A'] })).toEqual(['.env.example: A stands there twice']);
  });
});

describe('traces of a machine', () => {
  const place = (...parts: string[]): string => ['', ...parts].join('/');

  it('are found in the lock file', () => {
    expect(checkLockFile("packages:\n\n  'a@1.0.0':\n    resolution: {integrity: sha512-x}\n    deprecated: see https://example.org\n")).toEqual([]);
    expect(checkLockFile('    resolution: {integrity: sha512-x, tarball: https://example.org/a.tgz}\n')).toHaveLength(1);
    expect(checkLockFile('    resolution: {type: git, repo: git+ssh://example.org/a}\n')).toHaveLength(1);
  });

  it('are found in any text', () => {
    const found = (text: string): number => checkMachineTraces([{ path: 'a.md', text }]).length;
    expect(found(`see ${place('work', 'main')}`)).toBe(1);
    expect(found(`'${place('home', 'ann', 'x')}'`)).toBe(1);
    expect(found(['https://registry.npm', 'js.org'].join(''))).toBe(1);
    expect(found('packages/work/x ./home/x https://example.org/home/x')).toBe(0);
  });
});

describe('tests that prove nothing', () => {
  it('are found, with their line', () => {
    const found = (text: string): string[] => checkTests([{ path: 'packages/redis/test/a.test.ts', text }]);
    const call = (name: string): string => `it.${name}('x', () => {});`;
    expect(found(`\n${call('only')}`)).toEqual(['packages/redis/test/a.test.ts:2: a test that does not run']);
    expect(found(call('skip'))).toHaveLength(1);
    expect(found(['await new Promise((resolve) => set', 'Timeout(resolve, 50));'].join(''))).toHaveLength(1);
    expect(found(['vi.', "mock('./x.ts');"].join(''))).toHaveLength(1);
    expect(found(['import { set', "Timeout as sleep } from 'node:timers/promises';"].join(''))).toHaveLength(1);
    expect(found("import { setImmediate } from 'node:timers/promises';")).toEqual([]);
    expect(found("it('only skips what it must', () => {});")).toEqual([]);
  });
});
