import { didYouMean } from './nearest.ts';

/** A flag of a command line, as far as its problems go. */
export interface KnownFlag {
  /** What its value is called; without it the flag takes none. */
  readonly value?: string | undefined;
  readonly short?: string | undefined;
}

/** What is wrong with a flag, said for people: what Node's `parseArgs` says is for programmers in part. The flag that is meant stands in that, in quotes. */
export function explainFlag(flags: Readonly<Record<string, KnownFlag>>, message: string): string {
  const [, option = ''] = /'(-[^' ]*)/.exec(message) ?? [];
  const name = option.replace(/^--?/, '');
  if (message.startsWith('Unknown option'))
    return `There is no flag ${option}.${option.startsWith('--') ? didYouMean(name, Object.keys(flags), (word) => `--${word}`) : ''}`;
  const [, said] = /--([\w-]+)/.exec(message) ?? [];
  const [long, flag] = Object.entries(flags).find(([key, { short }]) => key === said || short === name) ?? [];
  if (flag === undefined) return message;
  return flag.value === undefined ? `--${long} takes no value.` : `--${long} takes a value: --${long} ${flag.value}.`;
}
