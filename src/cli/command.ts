import { type Client, createClient } from '../client/fetch.ts';
import type { Target } from '../client/target.ts';
import { type FlagSet, type Given, parseFlags } from './flags.ts';
import { type Io, UsageError } from './io.ts';
import { type SettingOverride, takeOverrides } from './overrides.ts';
import { readTarget, targetFlags } from './settings.ts';

/** What a command has to work with. */
export interface Context {
  readonly io: Io;
  readonly given: Given;
  readonly target: Target;
  readonly client: Client;
  /** The words after the command that are no flags, as many as it takes. */
  readonly args: readonly string[];
  /** Whether to print for programs. */
  readonly isJson: boolean;
  /** Of an open command: the flags that are not its own, and the words after `--`. */
  readonly overrides: readonly SettingOverride[];
  readonly commandLine: readonly string[];
}

/** One word after `trainyard`. */
export interface Command {
  readonly name: string;
  /** One line, for the list of commands. */
  readonly summary: string;
  /** What follows the name: `JOB`, `[FILE] [-- COMMAND …]`. */
  readonly usage: string;
  /** Least and most words that it takes. */
  readonly argCount: readonly [least: number, most: number];
  readonly flags: FlagSet;
  /** What else the help says, below the flags. */
  readonly notes?: string;
  /** Whether flags that are not its own override settings, and what follows `--` is a command to run. Default: false. */
  readonly isOpen?: true;
  run(context: Context): Promise<number>;
}

/** The flag of every command that prints data. */
export const jsonFlag: FlagSet = { json: { description: 'print JSON, for programs' } };

const helpFlag: FlagSet = { help: { short: 'h', description: 'show this' } };

/** Reads the rest of the command line and runs the command, or shows its help. */
export async function runCommand(command: Command, argv: readonly string[], io: Io): Promise<number> {
  const flags = { ...command.flags, ...targetFlags, ...helpFlag };
  if (asksForHelp(argv)) {
    io.stdout.write(renderHelp(command));
    return 0;
  }
  const open = command.isOpen ? takeOverrides(flags, argv) : { argv, overrides: [], commandLine: [] };
  const given = parseFlags(flags, open.argv);
  const [least, most] = command.argCount;
  if (given.args.length < least || given.args.length > most) {
    throw new UsageError(`Usage: trainyard ${command.name} ${command.usage}\nSee trainyard ${command.name} --help.`);
  }
  const target = await readTarget(given, io.env);
  const { overrides, commandLine } = open;
  const client = createClient(target);
  return command.run({ io, given, target, client, args: given.args, isJson: given.has('json'), overrides, commandLine });
}

function asksForHelp(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  return (end < 0 ? argv : argv.slice(0, end)).some((word) => word === '--help' || word === '-h');
}

/** The help of one command: its flags with what they mean and their defaults. */
export function renderHelp(command: Command): string {
  const lines = [`${command.summary}\n\nUsage: trainyard ${command.name} [flags] ${command.usage}`.trimEnd().concat('\n')];
  const rows = Object.entries({ ...command.flags, ...targetFlags, ...helpFlag }).map(([name, flag]) => {
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
