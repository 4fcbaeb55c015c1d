import { parseArgs } from 'node:util';
import { explainFlag } from '../../text/flag-problems.ts';
import { UsageError } from '../io.ts';

/** One long option of a command. */
export interface Flag {
  /** The value's name in the help. Without it the flag takes no value. */
  readonly value?: string;
  readonly short?: string;
  readonly isRepeatable?: boolean;
  readonly description: string;
  /** The default, as the help says it. */
  readonly defaultText?: string;
  /**
   * The API's input field that it sets, like `container.resources.cpu`: a refusal there names the
   * flag. Default: its name.
   */
  readonly field?: string;
}

export type FlagSet = Readonly<Record<string, Flag>>;

/** A command's parsed flags, with typed access. */
export interface Given {
  readonly args: readonly string[];
  has(name: string): boolean;
  text(name: string): string | undefined;
  texts(name: string): readonly string[];
  number(name: string): number | undefined;
  integer(name: string): number | undefined;
  /** One of a few words, in any case. */
  choice<Word extends string>(name: string, words: readonly Word[]): Word | undefined;
  /** Several of a few words, separated by commas or by repeating the flag. */
  choices<Word extends string>(name: string, words: readonly Word[]): Word[];
  /** `key=value` pairs. A key alone has an empty value. */
  pairs(name: string): Pair[];
  /** `key=value` pairs. The equals sign is required, the value may be empty. */
  wholePairs(name: string): Pair[];
}

export interface Pair {
  readonly key: string;
  readonly value: string;
}

/**
 * Parses a command line.
 * @throws UsageError that names the flag: unknown, without its value, or with a wrong one.
 */
export function parseFlags(flags: FlagSet, argv: readonly string[]): Given {
  const options: Options = {};
  for (const [name, flag] of Object.entries(flags)) {
    options[name] = { type: flag.value === undefined ? 'boolean' : 'string', multiple: true, ...(flag.short && { short: flag.short }) };
  }
  const { values, positionals } = parse(flags, options, argv);
  const texts = (name: string): readonly string[] => (values[name] ?? []).filter((value) => typeof value === 'string');
  const text = (name: string) => texts(name).at(-1);
  const number = (name: string): number | undefined => {
    const given = text(name);
    if (given === undefined) return undefined;
    const value = given.trim() === '' ? Number.NaN : Number(given);
    if (!Number.isFinite(value)) throw new UsageError(`--${name} takes a number, not "${given}".`);
    return value;
  };
  return {
    args: positionals,
    has: (name) => values[name] !== undefined,
    text,
    texts,
    number,
    integer(name) {
      const value = number(name);
      if (value !== undefined && !Number.isSafeInteger(value)) throw new UsageError(`--${name} takes a whole number, not ${value}.`);
      return value;
    },
    choice: (name, words) => {
      const given = text(name);
      return given === undefined ? undefined : choose(name, words, given);
    },
    choices: (name, words) =>
      texts(name)
        .flatMap((given) => given.split(','))
        .map((given) => choose(name, words, given)),
    pairs: (name) => texts(name).map((given) => splitPair(name, given)),
    wholePairs: (name) =>
      texts(name).map((given) => {
        if (!given.includes('=')) throw new UsageError(`--${name} takes ${flags[name]?.value ?? 'NAME=VALUE'}, not "${given}".`);
        return splitPair(name, given);
      }),
  };
}

type Options = Record<string, { type: 'boolean' | 'string'; multiple: true; short?: string }>;

function parse(
  flags: FlagSet,
  options: Options,
  argv: readonly string[],
): { values: Record<string, (string | boolean)[] | undefined>; positionals: string[] } {
  try {
    const { values, positionals } = parseArgs({ args: joinNegatives(options, argv), options, allowPositionals: true, strict: true });
    for (const [name, given] of Object.entries(values))
      if (given && given.length > 1 && !flags[name]?.isRepeatable && flags[name]?.value) throw new UsageError(`--${name} is given twice.`);
    return { values, positionals };
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(explainFlag(flags, error instanceof Error ? error.message : String(error)));
  }
}

/** Turns `--shift -5` into `--shift=-5`: parseArgs takes a value with a dash for a flag. */
function joinNegatives(options: Options, argv: readonly string[]): string[] {
  const joined: string[] = [];
  for (const word of argv) {
    const before = joined.at(-1);
    const name = before?.startsWith('--') ? before.slice(2) : '';
    if (/^-[\d.]/.test(word) && Object.hasOwn(options, name) && options[name]?.type === 'string')
      joined[joined.length - 1] = `${before}=${word}`;
    else joined.push(word);
  }
  return joined;
}

function choose<Word extends string>(name: string, words: readonly Word[], given: string): Word {
  const wanted = given.trim().toUpperCase().replaceAll('-', '_');
  const word = words.find((candidate) => candidate === wanted);
  if (word === undefined) throw new UsageError(`--${name} takes ${words.join(', ')}, not "${given}".`);
  return word;
}

/** Splits `key=value`. The value may contain more equals signs. */
function splitPair(name: string, given: string): Pair {
  const at = given.indexOf('=');
  if (at === 0 || given === '') throw new UsageError(`--${name} needs a name before the equals sign, not "${given}".`);
  return at < 0 ? { key: given, value: '' } : { key: given.slice(0, at), value: given.slice(at + 1) };
}
