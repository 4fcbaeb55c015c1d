import { didYouMean } from './nearest.ts';

/** What is known of a flag, for messages. */
export interface KnownFlag {
  /** The value's name. Without it the flag takes no value. */
  readonly value?: string | undefined;
  readonly short?: string | undefined;
}

/**
 * Explains a flag's problem to users: messages of Node's `parseArgs` are partly for programmers.
 * They contain the flag in quotes.
 */
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
