export { createCombatWorker, type CombatWorker, type CombatWorkerOverrides } from './app.ts';
export { replay, type ReplayResult } from './combat/replay.ts';
export { config, type CombatWorkerConfig } from './config.ts';
export { jobs } from './jobs.ts';
