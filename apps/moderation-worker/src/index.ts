export { createModerationWorker, type ModerationWorker, type ModerationWorkerOverrides } from './app.ts';
export { config, type ModerationWorkerConfig } from './config.ts';
export { jobs } from './jobs.ts';
