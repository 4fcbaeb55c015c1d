import { UsageError } from '../io.ts';
import type { FlagSet } from './flags.ts';

/** A long flag that a command does not know: perhaps one of its job's settings, `--custom.custom_param 5`. */
export interface SettingFlag {
  /** The dot path that it names: `custom.custom_param`. */
  readonly path: string;
  /** What was given for it; undefined where there is none. */
  readonly text: string | undefined;
}

export interface OpenCommandLine {
  /** What is left: the command's own flags and words. */
  readonly argv: readonly string[];
  readonly settings: readonly SettingFlag[];
  /** The words after `--`. */
  readonly commandLine: readonly string[];
}

/** Takes the long flags that a command does not know out of its command line. Which of them are settings, the job says later. */
export function takeSettingFlags(flags: FlagSet, argv: readonly string[]): OpenCommandLine {
  const end = argv.indexOf('--');
  const words = end < 0 ? argv : argv.slice(0, end);
  const kept: string[] = [];
  const settings: SettingFlag[] = [];
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index] ?? '';
    const next = words[index + 1];
    const [path = '', inline] = splitFlag(word);
    const flag = Object.hasOwn(flags, path) ? flags[path] : undefined;
    if (!word.startsWith('--') || flag !== undefined) {
      kept.push(word);
      // The value of a flag of ours is never one of theirs, whatever it looks like.
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
  const commandLine = end < 0 ? [] : argv.slice(end + 1);
  // Perhaps a variable of the shell that is not set. The job would have nothing to run, and wait for ever.
  if (end >= 0 && !commandLine[0]) throw new UsageError('There is no command after --.');
  return { argv: kept, settings, commandLine };
}

function splitFlag(word: string): [name: string, inline: string | undefined] {
  const at = word.indexOf('=');
  return at < 0 ? [word.slice(2), undefined] : [word.slice(2, at), word.slice(at + 1)];
}

function isShort(flags: FlagSet, word: string): boolean {
  return /^-[^-]$/.test(word) && Object.values(flags).some((flag) => flag.short === word[1] && flag.value !== undefined);
}
