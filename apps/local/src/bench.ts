import { join } from 'node:path';
import { hostTools } from './stages/host-tools-stage.ts';
import { runCommand } from './stages/run-command.ts';
import type { Stage } from './stages/stage.ts';
import { root, runNode } from './stages/tool.ts';

const flags = { short: { default: false, description: 'a tenth of the sample' } };

/** A benchmark fails only when it cannot run: its figures are read by people, tests assert counts and order. */
const benchmark = (file: string, short: boolean): Stage => ({
  name: file,
  run: async (stop) => {
    const args = ['--conditions=skirmish-source', join(root, 'load', file), ...(short ? ['--short'] : [])];
    return (await runNode({ args, stop })) === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
  },
});

await runCommand('npm run bench', flags, ({ short }) => [hostTools, benchmark('routing-cost.ts', short), benchmark('lookup-time.ts', short), benchmark('resume-cost.ts', short), benchmark('forwarding-cost.ts', short), benchmark('limits-cost.ts', short), benchmark('party-cost.ts', short), benchmark('presence-cost.ts', short)]);
