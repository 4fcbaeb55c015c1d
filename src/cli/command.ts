import { Refused, RequestRefused } from '../client/errors.ts';
import { createRequester, type Requester } from '../client/request.ts';
import type { Target } from '../client/target.ts';
import { readTarget, targetFlags } from './commands/settings.ts';
import { type FlagSet, type Given, parseFlags } from './input/flags.ts';
import { type OpenCommandLine, type SettingFlag, splitCommandLine, takeSettingFlags } from './input/overrides.ts';
import { type Io, UsageError } from './io.ts';
import { cleanName } from './terminal.ts';

/** What a command gets to work with. */
export interface Context {
  readonly io: Io;
  readonly given: Given;
  readonly target: Target;
  readonly client: Requester;
  /** The positional arguments. */
  readonly args: readonly string[];
  /** Whether to print JSON. */
  readonly isJson: boolean;
  /** For an open command: the flags that are not its own, and the words after `--`. */
  readonly settingFlags: readonly SettingFlag[];
  readonly commandLine: readonly string[];
}

/** How a command is used, and what its help says. */
export interface Usage {
  readonly name: string;
  /** One line, for the list of commands. */
  readonly summary: string;
  /** What follows the name: `JOB`, `[FILE] [-- COMMAND …]`. */
  readonly usage: string;
  /** The least and most positional arguments. */
  readonly argCount: readonly [least: number, most: number];
  readonly flags: FlagSet;
  /** Shown in the help below the flags. */
  readonly notes?: string;
}

/** A command of `trainyard` that talks to a gateway. */
export interface Command extends Usage {
  /**
   * Whether unknown flags may be settings of its job, and `--` may be followed by a command to run.
   * Default: false.
   */
  readonly isOpen?: true;
  /** Whether `--` may be followed by a command to run. */
  readonly takesCommandLine?: true;
  run(context: Context): Promise<number>;
}

/** The flag of every command that prints data. */
export const jsonFlag: FlagSet = { json: { description: 'print JSON' } };

const helpFlag: FlagSet = { help: { short: 'h', description: 'show this help' } };

/** Parses the rest of the command line and runs the command, or shows its help. */
export async function runCommand(command: Command, argv: readonly string[], io: Io): Promise<number> {
  const flags = { ...command.flags, ...targetFlags, ...helpFlag };
  if (asksForHelp(argv)) {
    io.stdout.write(renderHelp({ ...command, flags: { ...command.flags, ...targetFlags } }));
    return 0;
  }
  const open = openCommandLine(command, flags, argv);
  const given = parseFlags(flags, open.argv);
  checkWords(command, given.args);
  const target = await readTarget(given, io.env);
  const { settings: settingFlags, commandLine } = open;
  const client = createRequester(target);
  try {
    return await command.run({ io, given, target, client, args: given.args, isJson: given.has('json'), settingFlags, commandLine });
  } catch (error) {
    throw placeIssues(error, (path) => flagOf(flags, given, path));
  }
}

function openCommandLine({ isOpen, takesCommandLine }: Command, flags: FlagSet, argv: readonly string[]): OpenCommandLine {
  if (isOpen) return takeSettingFlags(flags, argv);
  return { settings: [], ...(takesCommandLine ? splitCommandLine(argv) : { argv, commandLine: [] }) };
}

/** Reads the words and flags of a command. Throws UsageError. */
export function readWords(command: Usage, argv: readonly string[]): Given {
  const given = parseFlags({ ...command.flags, ...helpFlag }, argv);
  checkWords(command, given.args);
  return given;
}

function checkWords(command: Usage, words: readonly string[]): void {
  const [least, most] = command.argCount;
  const problem = (text: string) => new UsageError(`${text}\nUsage: trainyard ${command.name} ${command.usage}`.trimEnd());
  if (words.length > most) throw problem(`"${cleanName(words[most] ?? '')}" is one argument too many.`);
  if (words.length < least) throw problem(`${command.usage.split(' ')[words.length]} is missing.`);
  if (words.includes('')) throw problem('An argument is empty.');
}

/**
 * The same refusal, with each issue's path replaced by what the user gave: a flag, or a line of a
 * file.
 */
export function placeIssues(error: unknown, placeOf: (path: readonly string[]) => string | undefined): unknown {
  if (error instanceof RequestRefused) {
    // A mutation without typed refusals names the field in its message.
    const [, path = '', rest = ''] = /^([\w.]+)(: .*)$/s.exec(error.message) ?? [];
    const place = placeOf(path.split('.'));
    return place === undefined ? error : new RequestRefused(error.code, place + rest, { cause: error, retryAfterMs: error.retryAfterMs });
  }
  if (!(error instanceof Refused)) return error;
  const issues = error.issues.map(({ path, message }) => ({ path: [placeOf(path) ?? path.join('.')], message }));
  return new Refused({ ...error.refusal, issues });
}

/** The given flag that sets the field at this path, if any. */
export function flagOf(flags: FlagSet, given: Given, path: readonly string[]): string | undefined {
  const place = path.join('.');
  const found = Object.entries(flags).find(([name, { field }]) => {
    const set = field ?? name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
    return given.has(name) && (place === set || place.startsWith(`${set}.`));
  });
  return found && `--${found[0]}`;
}

export function asksForHelp(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  return (end < 0 ? argv : argv.slice(0, end)).some((word) => word === '--help' || word === '-h');
}

/** A command's help: its flags, with descriptions and defaults. */
export function renderHelp(command: Usage): string {
  const lines = [`${command.summary}\n\nUsage: trainyard ${command.name} [flags] ${command.usage}`.trimEnd().concat('\n')];
  const rows = Object.entries({ ...command.flags, ...helpFlag }).map(([name, flag]) => {
    const short = flag.short === undefined ? '    ' : `-${flag.short}, `;
    const left = `${short}--${name}${flag.value === undefined ? '' : ` ${flag.value}`}`;
    const extra = flag.defaultText === undefined ? '' : ` (default: ${flag.defaultText})`;
    return [left, `${flag.description}${flag.isRepeatable ? '; may be given more than once' : ''}${extra}`] as const;
  });
  const width = Math.max(...rows.map(([left]) => left.length));
  lines.push(...rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`));
  if (command.notes !== undefined) lines.push('', command.notes);
  return `${lines.join('\n')}\n`;
}
