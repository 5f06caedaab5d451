/** One flag of a command: a switch (`false` unless given), or a flag with a value of the default's type. */
export interface Flag<T extends boolean | number | string = boolean | number | string> {
  default: T;
  description: string;
}

/** What is wrong with the flags that were given; the message lists the flags that exist. */
export class FlagError extends Error {}

type Values<F extends Record<string, Flag>> = { [N in keyof F]: F[N]['default'] extends boolean ? boolean : F[N]['default'] extends number ? number : string };

/**
 * Reads `--name value`, `--name=value` and `--switch`. Throws a FlagError for an unknown flag, a missing value, a number that is
 * not a whole number ≥ 0, and for words that are not flags.
 */
export function readFlags<F extends Record<string, Flag>>(command: string, flags: F, args: readonly string[]): Values<F> {
  const values: Record<string, boolean | number | string> = Object.fromEntries(Object.entries(flags).map(([name, flag]) => [name, flag.default]));
  const rest = [...args];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    const [, name = '', inline] = /^--([a-z][a-z-]*)(?:=(.*))?$/.exec(word) ?? [];
    const flag = Object.hasOwn(flags, name) ? flags[name] : undefined;
    if (flag === undefined) throw new FlagError(`${command} does not know ${word}. ${listOf(command, flags)}`);
    if (typeof flag.default === 'boolean') {
      if (inline !== undefined) throw new FlagError(`--${name} takes no value. ${listOf(command, flags)}`);
      values[name] = true;
      continue;
    }
    const text = inline ?? rest.shift();
    if (text === undefined) throw new FlagError(`--${name} needs a value. ${listOf(command, flags)}`);
    values[name] = typeof flag.default === 'number' ? wholeNumber(name, text) : text;
  }
  return values as Values<F>;
}

function wholeNumber(name: string, text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new FlagError(`--${name} needs a whole number, not "${text}".`);
  return Number(text);
}

function listOf(command: string, flags: Record<string, Flag>): string {
  const rows = Object.entries(flags).map(([name, flag]) => {
    const value = typeof flag.default === 'boolean' ? '' : ` ${String(flag.default)}`;
    return `  --${name}${value}  ${flag.description}`;
  });
  return rows.length === 0 ? `${command} takes no flags.` : `Its flags, with their defaults:\n${rows.join('\n')}`;
}
