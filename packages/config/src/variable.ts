import * as v from 'valibot';

/** One environment variable: how its text becomes a value, and what is said about it. */
export interface Variable<Value> {
  readonly name: string;
  /** Synchronous, from the text of the variable to its value. Its messages are never shown, since they quote the input. */
  readonly schema: v.GenericSchema<string, Value>;
  /** What is accepted, so that it completes the sentence "Set it to …". */
  readonly expects: string;
  readonly description: string;
  /** Text used in every environment when the variable is not set. */
  readonly default?: string;
  /** Text used when the variable is not set and NODE_ENV is `development`. */
  readonly developmentDefault?: string;
  /** Another variable whose text is taken when this one is not set. */
  readonly defaultFrom?: string;
  /** Text of a good value, for messages and documents. */
  readonly example?: string;
  readonly required: boolean;
  /** A secret is never printed, neither by `describe` nor in a mistake, and has no default outside development. */
  readonly secret: boolean;
}

/** What may be said about a variable besides its name and type. */
export interface VariableOptions {
  readonly description: string;
  readonly default?: string;
  readonly developmentDefault?: string;
  readonly defaultFrom?: string;
  readonly example?: string;
  readonly secret?: boolean;
}

export interface VariableDefinition<Value> extends VariableOptions {
  readonly schema: v.GenericSchema<string, Value>;
  readonly expects: string;
}

const namePattern = /^[A-Z][A-Z0-9_]{0,63}$/;

/** Defines a variable of any type; throws a TypeError when the definition contradicts itself. */
export function variable<Value>(name: string, definition: VariableDefinition<Value>): Variable<Value> {
  const made = { ...definition, name, required: true, secret: definition.secret ?? false };
  assertSound(made);
  return Object.freeze(made);
}

/** The same variable, which may stay unset: its value is then `undefined`. */
export function optional<Value>(of: Variable<Value>): Variable<Value | undefined> {
  return Object.freeze({ ...of, required: false });
}

/** The same variable with another default, given as text. */
export function withDefault<Value>(of: Variable<Value>, text: string): Variable<Value> {
  const made = { ...of, default: text };
  assertSound(made);
  return Object.freeze(made);
}

/** The value of a text, or `null` when the schema refuses it. */
export function readText<Value>(of: Variable<Value>, text: string): { value: Value } | null {
  const result = v.safeParse(of.schema, text, { abortEarly: true });
  return result.success ? { value: result.output } : null;
}

function assertSound(of: Variable<unknown>): void {
  if (!namePattern.test(of.name)) throw new TypeError(`"${of.name}" is no name for an environment variable`);
  if (of.secret && of.default !== undefined) throw new TypeError(`${of.name} is a secret: it may have a developmentDefault, but no default`);
  for (const field of ['default', 'developmentDefault', 'example'] as const) {
    const text = of[field];
    if (text !== undefined && readText(of, text) === null) throw new TypeError(`the ${field} of ${of.name} is refused by its own schema`);
  }
}
