import { describe, expect, it } from 'vitest';
import { checkDuplicates } from './duplicates.ts';

const block = (count: number, name = 'line'): string => Array.from({ length: count }, (_, index) => `  ${name}${index}();\n`).join('');

describe('repeated blocks', () => {
  it('are found across files and within one, whatever the indentation, comments and blank lines', () => {
    const one = { path: 'packages/redis/src/a.ts', text: `import { x } from 'y';\n${block(12)}` };
    const other = { path: 'packages/queue/src/b.ts', text: `// why\n\n${block(6)}\n    // a remark\n${block(12).split('\n').slice(6).join('\n  ')}` };
    expect(checkDuplicates([one, other])).toEqual(['packages/queue/src/b.ts:3 repeats packages/redis/src/a.ts:2: 12 lines or more']);
    expect(checkDuplicates([{ path: 'packages/redis/src/c.ts', text: block(12) + block(12) }])).toHaveLength(1);
  });

  it('are let pass when short, and in tests', () => {
    const short = (path: string) => ({ path, text: block(11) + block(5, path.replace(/\W/g, '')) });
    expect(checkDuplicates([short('packages/redis/src/a.ts'), short('packages/queue/src/b.ts')])).toEqual([]);
    const test = (path: string) => ({ path, text: block(40) });
    expect(checkDuplicates([test('packages/redis/src/a.test.ts'), test('packages/queue/test/b.ts')])).toEqual([]);
  });
});
