import { isIP } from 'node:net';
import * as v from 'valibot';
import { variable, type Variable, type VariableOptions } from './variable.ts';

type NumberOptions = Omit<VariableOptions, 'default' | 'developmentDefault'> & {
  readonly min: number;
  readonly max: number;
  readonly default?: number;
  readonly developmentDefault?: number;
};

/** A whole number from `min` to `max`. */
export function integer(name: string, options: NumberOptions): Variable<number> {
  return number(name, options, /^-?\d{1,16}$/, 'a whole number');
}

/** A duration in whole milliseconds, given as `[min, default, max]`; the unit is added to the description. */
export function milliseconds(name: string, description: string, [min, standard, max]: readonly [number, number, number]): Variable<number> {
  return integer(name, { description: `${description}, milliseconds`, min, max, default: standard });
}

/** A decimal number from `min` to `max`, written like `0.5`. */
export function decimal(name: string, options: NumberOptions): Variable<number> {
  return number(name, options, /^-?\d{1,16}(?:\.\d{1,16})?$/, 'a number');
}

function number(name: string, { min, max, ...options }: NumberOptions, pattern: RegExp, kind: string): Variable<number> {
  return variable(name, {
    ...textDefaults(options),
    schema: v.pipe(v.string(), v.regex(pattern), v.transform(Number), v.minValue(min), v.maxValue(max)),
    expects: `${kind} from ${min} to ${max}`,
  });
}

function textDefaults<Rest extends object>(options: Rest & { default?: number; developmentDefault?: number }): Rest & VariableDefaults {
  const { default: always, developmentDefault, ...rest } = options;
  return {
    ...(rest as unknown as Rest),
    ...(always === undefined ? {} : { default: String(always) }),
    ...(developmentDefault === undefined ? {} : { developmentDefault: String(developmentDefault) }),
  };
}

type VariableDefaults = Pick<VariableOptions, 'default' | 'developmentDefault'>;

/** Text of `lengthMin` (1) to `lengthMax` (256) UTF-16 units without control characters. */
export function text(name: string, options: VariableOptions & { readonly lengthMin?: number; readonly lengthMax?: number }): Variable<string> {
  const { lengthMin = 1, lengthMax = 256, ...rest } = options;
  return variable(name, {
    ...rest,
    schema: v.pipe(v.string(), v.minLength(lengthMin), v.maxLength(lengthMax), v.regex(/^\P{Cc}*$/u)),
    expects: `a text of ${lengthMin} to ${lengthMax} characters`,
  });
}

/** `true` or `false`, also written `1` or `0`. */
export function flag(name: string, options: VariableOptions): Variable<boolean> {
  return variable(name, {
    ...options,
    schema: v.pipe(v.picklist(['true', 'false', '1', '0']), v.transform((word) => word === 'true' || word === '1')),
    expects: 'true or false',
  });
}

/** One of a fixed set of words. */
export function choice<const Word extends string>(
  name: string,
  options: VariableOptions & { readonly words: readonly Word[]; readonly default?: Word; readonly developmentDefault?: Word },
): Variable<Word> {
  const { words, ...rest } = options;
  return variable(name, { ...rest, schema: v.picklist(words), expects: `one of ${words.join(', ')}` });
}

/** A URL with one of the `schemes` (`redis:`), at most 2,048 characters; its password is hidden by `describe`. */
export function url(name: string, options: VariableOptions & { readonly schemes: readonly string[] }): Variable<string> {
  const { schemes, ...rest } = options;
  return variable(name, {
    ...rest,
    schema: v.pipe(v.string(), v.maxLength(2048), v.check((value) => hasScheme(value, schemes))),
    expects: `a URL that begins with ${schemes.map((scheme) => `${scheme}//`).join(' or ')}`,
  });
}

function hasScheme(value: string, schemes: readonly string[]): boolean {
  if (!URL.canParse(value)) return false;
  const { protocol, hostname } = new URL(value);
  return schemes.includes(protocol) && hostname !== '';
}

const hostName = /^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i;

/** A host name or an IP address, without a port. */
export function host(name: string, options: VariableOptions): Variable<string> {
  return variable(name, {
    ...options,
    schema: v.pipe(v.string(), v.check((value) => isIP(value) !== 0 || hostName.test(value))),
    expects: 'a host name or an IP address, without a port',
  });
}

/** Items between commas, each accepted by `item`, without repetition; white space around them and empty items are dropped. */
export function list<Item extends string>(
  name: string,
  options: VariableOptions & {
    readonly item: v.GenericSchema<string, Item>;
    readonly expectsItems: string;
    readonly countMin?: number;
    readonly countMax: number;
  },
): Variable<readonly Item[]> {
  const { item, expectsItems, countMin = 0, countMax, ...rest } = options;
  const split = (joined: string): string[] => joined.split(',').map((part) => part.trim()).filter((part) => part !== '');
  return variable(name, {
    ...rest,
    schema: v.pipe(
      v.string(),
      v.transform(split),
      v.minLength(countMin),
      v.maxLength(countMax),
      v.check((items) => new Set(items).size === items.length),
      v.array(item),
      v.readonly(),
    ),
    expects: `${countMin} to ${countMax} different ${expectsItems} between commas`,
  });
}
