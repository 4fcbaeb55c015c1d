import type { FlagSet } from './flags.ts';
import { UsageError } from './io.ts';

/** One value of a job's settings, given on the command line: `custom.custom_param` and 5. */
export interface SettingOverride {
  readonly path: string;
  readonly value: unknown;
}

export interface OpenCommandLine {
  /** What is left: the command's own flags and words. */
  readonly argv: readonly string[];
  readonly overrides: readonly SettingOverride[];
  /** The words after `--`. */
  readonly commandLine: readonly string[];
}

/**
 * Takes the long flags that a command does not know out of its command line, as overrides of settings:
 * `--param_3 '{"k":"v"}' --custom.custom_param 5 --verbose`. A value is JSON where it parses, else text; without one it is true.
 */
export function takeOverrides(flags: FlagSet, argv: readonly string[]): OpenCommandLine {
  const end = argv.indexOf('--');
  const words = end < 0 ? argv : argv.slice(0, end);
  const kept: string[] = [];
  const overrides: SettingOverride[] = [];
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index] ?? '';
    const next = words[index + 1];
    const [name = '', inline] = splitFlag(word);
    const flag = Object.hasOwn(flags, name) ? flags[name] : undefined;
    if (!word.startsWith('--') || flag !== undefined) {
      kept.push(word);
      // The value of a flag of ours is never one of theirs, whatever it looks like.
      const takesNext = (flag?.value !== undefined && inline === undefined) || isShort(flags, word);
      if (takesNext && next !== undefined) {
        kept.push(next);
        index += 1;
      }
    } else if (inline !== undefined) {
      overrides.push({ path: name, value: parseValue(inline) });
    } else if (next === undefined || next.startsWith('--')) {
      overrides.push({ path: name, value: true });
    } else {
      overrides.push({ path: name, value: parseValue(next) });
      index += 1;
    }
  }
  for (const { path } of overrides) checkPath(path);
  return { argv: kept, overrides, commandLine: end < 0 ? [] : argv.slice(end + 1) };
}

/** JSON where it parses, else the text as it is. */
export function parseValue(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function splitFlag(word: string): [name: string, inline: string | undefined] {
  const at = word.indexOf('=');
  return at < 0 ? [word.slice(2), undefined] : [word.slice(2, at), word.slice(at + 1)];
}

function isShort(flags: FlagSet, word: string): boolean {
  return /^-[^-]$/.test(word) && Object.values(flags).some((flag) => flag.short === word[1] && flag.value !== undefined);
}

function checkPath(path: string): void {
  if (path.split('.').some((part) => part === '')) throw new UsageError(`--${path} is no flag, and no path into settings either.`);
}
