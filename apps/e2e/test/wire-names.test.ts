import { config as combatWorkerConfig, jobs as combatJobs } from '@skirmish/combat-worker';
import { config as gatewayConfig, events } from '@skirmish/gateway';
import { config as moderationWorkerConfig, jobs as moderationJobs } from '@skirmish/moderation-worker';
import { describe, expect, it } from 'vitest';
import { checkEnvironmentExample, checkEventPaths, checkJobPaths, readSourceTree } from '../src/index.ts';

const files = readSourceTree();

describe('wire names', () => {
  it('of events are the paths of their handlers', () => {
    expect(Object.keys(events)).toContain('chat:send');
    expect(checkEventPaths(files, 'apps/gateway', Object.keys(events))).toEqual([]);
  });

  it('of jobs are the paths of their code', () => {
    expect(checkJobPaths(files, 'apps/combat-worker', Object.keys(combatJobs))).toEqual([]);
    expect(checkJobPaths(files, 'apps/moderation-worker', Object.keys(moderationJobs))).toEqual([]);
  });
});

describe('.env.example', () => {
  it('lists every variable of every app', () => {
    const namesOf = (config: { describe(): readonly { name: string }[] }): string[] => config.describe().map(({ name }) => name);
    const example = files.find((file) => file.path === '.env.example');
    expect(checkEnvironmentExample(example?.text ?? '', {
      'apps/gateway': namesOf(gatewayConfig),
      'apps/combat-worker': namesOf(combatWorkerConfig),
      'apps/moderation-worker': namesOf(moderationWorkerConfig),
    })).toEqual([]);
  });
});
