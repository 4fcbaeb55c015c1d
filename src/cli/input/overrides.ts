import { UsageError } from '../io.ts';
import type { FlagSet } from './flags.ts';

/**
 * A long flag that is not the command's own, perhaps a setting of its job:
 * `--custom.custom_param 5`.
 */
export interface SettingFlag {
  /** The dot path that it names: `custom.custom_param`. */
  readonly path: string;
  /** Its value. Undefined if there is none. */
  readonly text: string | undefined;
}

export interface OpenCommandLine {
  /** The rest: the command's own flags and words. */
  readonly argv: readonly string[];
  readonly settings: readonly SettingFlag[];
  /** The words after `--`. */
  readonly commandLine: readonly string[];
}

/**
 * Separates unknown long flags from the command line. The job decides later which of them are
 * settings.
 */
export function takeSettingFlags(flags: FlagSet, argv: readonly string[]): OpenCommandLine {
  const { argv: words, commandLine } = splitCommandLine(argv);
  const kept: string[] = [];
  const settings: SettingFlag[] = [];
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index] ?? '';
    const next = words[index + 1];
    const [path = '', inline] = splitFlag(word);
    const flag = Object.hasOwn(flags, path) ? flags[path] : undefined;
    if (!word.startsWith('--') || flag !== undefined) {
      kept.push(word);
      // The value of a known flag is never another flag, whatever it looks like.
      const takesNext = (flag?.value !== undefined && inline === undefined) || isShort(flags, word);
      if (takesNext && next !== undefined) {
        kept.push(next);
        index += 1;
      }
    } else if (inline !== undefined || next === undefined || next.startsWith('--')) {
      settings.push({ path, text: inline });
    } else {
      settings.push({ path, text: next });
      index += 1;
    }
  }
  return { argv: kept, settings, commandLine };
}

/** Separates the words after `--`. */
export function splitCommandLine(argv: readonly string[]): Omit<OpenCommandLine, 'settings'> {
  const end = argv.indexOf('--');
  const commandLine = end < 0 ? [] : argv.slice(end + 1);
  // Perhaps an unset shell variable. A job would have nothing to run and would wait for ever.
  if (end >= 0 && !commandLine[0]) throw new UsageError('No command follows --.');
  return { argv: end < 0 ? argv : argv.slice(0, end), commandLine };
}

function splitFlag(word: string): [name: string, inline: string | undefined] {
  const at = word.indexOf('=');
  return at < 0 ? [word.slice(2), undefined] : [word.slice(2, at), word.slice(at + 1)];
}

function isShort(flags: FlagSet, word: string): boolean {
  return /^-[^-]$/.test(word) && Object.values(flags).some((flag) => flag.short === word[1] && flag.value !== undefined);
}
