import { describe, expect, it } from 'vitest';
import { checkLayout, checkProcessFiles, checkReadmes } from './layout.ts';
import type { SourceFile } from './source-tree.ts';

const file = (path: string, lines = 1): SourceFile => ({ path, text: 'x;\n'.repeat(lines) });

describe('the layout', () => {
  it('accepts 300 lines and refuses 301; tests may be longer, up to 600', () => {
    expect(checkLayout([file('packages/redis/src/a.ts', 300), file('packages/redis/src/a.test.ts', 600)])).toEqual([]);
    expect(checkLayout([file('packages/redis/src/a.ts', 301)])).toEqual(['packages/redis/src/a.ts: 301 lines, at most 300: split it by meaning']);
    expect(checkLayout([file('packages/redis/test/a.test.ts', 601)])).toHaveLength(1);
  });

  it('accepts two folders below src and refuses three', () => {
    expect(checkLayout([file('apps/gateway/src/combat/rules/a.ts')])).toEqual([]);
    expect(checkLayout([file('apps/gateway/src/combat/rules/deep/a.ts')])).toEqual(['apps/gateway/src/combat/rules/deep/a.ts: at most 2 folders below src']);
  });

  it.each(['apps/gateway/src/utils/a.ts', 'packages/redis/src/helpers.ts', 'packages/redis/test/common/a.test.ts', 'apps/local/src/lib/a.ts', 'apps/local/src/misc.test.ts'])(
    'calls %s a drawer', (path) => {
      expect(checkLayout([file(path)])).toEqual([expect.stringContaining('is a drawer')]);
    },
  );

  it('does not call a word that only contains one a drawer', () => {
    expect(checkLayout([file('apps/gateway/src/shared-secret.ts'), file('packages/redis/src/library.ts')])).toEqual([]);
  });

  it('asks for kebab-case', () => {
    expect(checkLayout([file('packages/redis/src/streamIds.ts')])).toEqual([expect.stringContaining('kebab-case')]);
    expect(checkLayout([file('packages/redis/src/stream-ids.ts'), file('packages/redis/src/stream-ids.property.test.ts'), file('apps/e2e/test/_cluster.ts')])).toEqual([]);
  });

  it('asks every process for the same files and a short main', () => {
    const names = ['main', 'app', 'context', 'config', 'logger', 'metrics'];
    const complete = names.map((name) => file(`apps/gateway/src/${name}.ts`, name === 'main' ? 19 : 50));
    expect(checkProcessFiles(complete, ['apps/gateway'])).toEqual([]);
    expect(checkProcessFiles(complete.slice(1), ['apps/gateway'])).toEqual(['apps/gateway/src/main.ts is missing: every process has it']);
    expect(checkProcessFiles([file('apps/gateway/src/main.ts', 20), ...complete.slice(1)], ['apps/gateway'])[0]).toContain('20 lines, fewer than 20');
  });

  it('asks every package for a README of two screens', () => {
    const manifest = file('packages/redis/package.json');
    expect(checkReadmes([manifest])).toEqual(['packages/redis has no README.md']);
    expect(checkReadmes([manifest, file('packages/redis/README.md', 121)])).toHaveLength(1);
    expect(checkReadmes([manifest, file('packages/redis/README.md', 120)])).toEqual([]);
  });
});
