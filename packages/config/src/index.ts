export { ConfigError, type Mistake } from './config-error.ts';
export {
  defineConfig,
  type Config,
  type ConfigValues,
  type Description,
  type Environment,
  type Rule,
  type Shape,
  type Source,
  type ValuesOf,
} from './define-config.ts';
export { choice, decimal, flag, host, integer, list, milliseconds, text, url } from './kinds.ts';
export { configExitCode, parseOrExit } from './parse-or-exit.ts';
export { optional, variable, withDefault, type Variable, type VariableDefinition, type VariableOptions } from './variable.ts';
export { variables } from './variables.ts';
