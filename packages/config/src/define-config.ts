import { ConfigError, type Mistake } from './config-error.ts';
import { hidden, printable } from './hidden.ts';
import { readText, type Variable } from './variable.ts';

/** The environment as `process.env` has it. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Keys of the program's own choice, each with its environment variable. */
export type Shape = Readonly<Record<string, Variable<unknown>>>;

/** The typed values of a shape. */
export type ValuesOf<S extends Shape> = { readonly [Key in keyof S]: S[Key] extends Variable<infer Value> ? Value : never };

/** A condition between several values; it is asked only when all of its `keys` could be read. */
export interface Rule<S extends Shape> {
  readonly keys: readonly (keyof S & string)[];
  /** The sentence that says what is wrong and repairs it, or `null`. */
  readonly check: (values: ValuesOf<S>) => string | null;
}

/** Where a value came from: `override` is a value that the program changed after `parse`. */
export type Source = 'env' | 'default' | 'unset' | 'override';

/** One variable as people see it. */
export interface Description {
  readonly key: string;
  readonly name: string;
  /** The value as text, `•••` for a secret, empty when unset. */
  readonly value: string;
  readonly source: Source;
  readonly description: string;
  readonly expects: string;
  readonly secret: boolean;
  /** Whether a start with NODE_ENV=production fails when the variable is not set. */
  readonly required: boolean;
}

export interface Config<S extends Shape> {
  readonly shape: S;
  /** Reads the environment once; throws a `ConfigError` with every mistake. Text of white space only counts as not set. */
  parse(env: Environment): ValuesOf<S>;
  /** Every variable with its effective value, secrets hidden; without values, with its default. */
  describe(values?: ValuesOf<S>): Description[];
}

/** The values of a configuration: `type GatewayConfig = ConfigValues<typeof gatewayConfig>`. */
export type ConfigValues<C> = C extends Config<infer S> ? ValuesOf<S> : never;

type Reading = { readonly source: Source; readonly value: unknown } | { readonly mistake: Mistake };

/** Makes a configuration of a shape; throws a TypeError when two keys name the same variable. */
export function defineConfig<const S extends Shape>(shape: S, rules: readonly Rule<S>[] = []): Config<S> {
  assertNamesDiffer(shape);
  const origins = new WeakMap<object, Record<string, { source: Source; value: unknown }>>();
  return {
    shape,
    parse(env) {
      const readings = Object.entries(shape).map(([key, variable]) => [key, read(variable, env)] as const);
      const good = readings.flatMap(([key, reading]) => ('mistake' in reading ? [] : [[key, reading] as const]));
      const values = Object.fromEntries(good.map(([key, { value }]) => [key, value])) as ValuesOf<S>;
      const mistakes = [
        ...withoutEchoes(shape, env, readings.flatMap(([, reading]) => ('mistake' in reading ? [reading.mistake] : []))),
        ...broken(shape, rules, values),
      ];
      if (mistakes.length > 0) throw new ConfigError(mistakes);
      origins.set(values, Object.fromEntries(good));
      return Object.freeze(values);
    },
    describe(values) {
      const origin = values === undefined ? undefined : origins.get(values);
      return Object.entries(shape).map(([key, variable]) => {
        const value = values === undefined ? defaultOf(variable) : values[key];
        return describeOne(key, variable, value, values === undefined ? 'default' : (origin?.[key]?.source ?? 'override'));
      });
    },
  };
}

function describeOne(key: string, variable: Variable<unknown>, value: unknown, source: Source): Description {
  const { name, description, expects, secret } = variable;
  const shown = secret && value !== undefined ? hidden : printable(value);
  return {
    key,
    name,
    value: shown,
    source: value === undefined ? 'unset' : source,
    description,
    expects,
    secret,
    required: variable.required && variable.default === undefined && variable.defaultFrom === undefined,
  };
}

function defaultOf(variable: Variable<unknown>): unknown {
  return variable.default === undefined ? undefined : readText(variable, variable.default)?.value;
}

function read(variable: Variable<unknown>, env: Environment): Reading {
  const { name, expects, example } = variable;
  const given = present(env, name);
  const text = given ?? (variable.defaultFrom === undefined ? undefined : present(env, variable.defaultFrom)) ?? fallback(variable, env);
  const repair = `Set it to ${expects}${example === undefined ? '' : `, for example ${name}=${example}`}.`;
  if (text === undefined) {
    return variable.required ? { mistake: { name, sentence: `${name} is not set. ${repair}` } } : { source: 'unset', value: undefined };
  }
  const result = readText(variable, variable.secret ? text : text.trim());
  if (result !== null) return { source: given === undefined ? 'default' : 'env', value: result.value };
  return { mistake: { name, sentence: `${name} ${quote(variable, text)}. ${repair}` } };
}

function present(env: Environment, name: string): string | undefined {
  const text = env[name];
  return text === undefined || text.trim() === '' ? undefined : text;
}

function fallback(variable: Variable<unknown>, env: Environment): string | undefined {
  const development = env['NODE_ENV']?.trim() === 'development';
  return (development ? variable.developmentDefault : undefined) ?? variable.default;
}

function quote(variable: Variable<unknown>, text: string): string {
  // A malformed URL may hold a password anywhere, so it is not repeated either.
  if (variable.secret || text.includes('://')) return 'has a value that cannot be used (it is not shown)';
  const plain = text.trim().replaceAll(/\p{Cc}/gu, '?');
  return `is "${plain.length > 60 ? `${plain.slice(0, 60)}…` : plain}"`;
}

/** A variable that takes its text from another one has nothing to add when the other one is wrong. */
function withoutEchoes(shape: Shape, env: Environment, mistakes: readonly Mistake[]): Mistake[] {
  const names = new Set(mistakes.map(({ name }) => name));
  const echoes = Object.values(shape).filter(({ name, defaultFrom }) => {
    return defaultFrom !== undefined && names.has(defaultFrom) && present(env, name) === undefined;
  });
  const echoNames = new Set(echoes.map(({ name }) => name));
  return mistakes.filter(({ name }) => !echoNames.has(name));
}

function broken<S extends Shape>(shape: S, rules: readonly Rule<S>[], values: ValuesOf<S>): Mistake[] {
  return rules.flatMap(({ keys, check }) => {
    if (!keys.every((key) => Object.hasOwn(values, key))) return [];
    const sentence = check(values);
    return sentence === null ? [] : [{ name: keys.map((key) => shape[key]?.name).join(', '), sentence }];
  });
}

function assertNamesDiffer(shape: Shape): void {
  const seen = new Set<string>();
  for (const { name } of Object.values(shape)) {
    if (seen.has(name)) throw new TypeError(`${name} stands twice in the configuration`);
    seen.add(name);
  }
}
