export { FlagError } from './flags.ts';
export { hostTools } from './stages/host-tools-stage.ts';
export { asCommand } from './stages/run-command.ts';
export type { Count } from './stages/stage.ts';
export { tests } from './stages/tests.ts';
export { readableDuration, say } from './terminal.ts';
