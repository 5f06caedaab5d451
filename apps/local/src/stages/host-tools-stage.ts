import { delimiter, dirname } from 'node:path';
import { ensureNginx, ensureRedis } from '../host-tools.ts';
import type { Stage } from './stage.ts';

/** The servers that the tests run, installed where they are missing, and on the PATH of the test processes. */
export const hostTools: Stage = {
  name: 'servers for the tests',
  run: async () => {
    const folders = [dirname(await ensureRedis()), dirname(await ensureNginx())];
    process.env['PATH'] = [process.env['PATH'] ?? '', ...folders].join(delimiter);
    return { passed: 1, failed: 0 };
  },
};
