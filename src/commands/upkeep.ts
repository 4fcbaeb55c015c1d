/** `trainyard backup` and `trainyard restore`: what an operator does to a store itself, with a gateway on it or without. */
import { constants, setPriority } from 'node:os';
import { parseArgs } from 'node:util';
import { BackupRefused, type Manifest } from '../backup/manifest.ts';
import { restoreBackup } from '../backup/restore.ts';
import { takeBackup } from '../backup/take.ts';
import { exitCodes } from '../cli/io.ts';
import { ConfigError, readConfig } from '../config/config.ts';
import { StoreUnusable } from '../store/store.ts';
import { explainFlag } from '../text/flag-problems.ts';

export type UpkeepCommand = 'backup' | 'restore';

interface Flag {
  readonly name: string;
  readonly value?: string;
  readonly text: string;
}

const flags: Readonly<Record<UpkeepCommand, readonly Flag[]>> = {
  backup: [
    {
      name: 'data-dir',
      value: 'DIR',
      text: "the gateway's data folder: the SQLite file and the fragments (TRAINYARD_DATA_DIR, default ./data)",
    },
    { name: 'database-url', value: 'URL', text: "the gateway's PostgreSQL, if it has one (TRAINYARD_DATABASE_URL)" },
    { name: 'copy', text: 'copy the files of fragments; else they are other names of the same files where the file system can do that' },
    { name: 'json', text: 'print what was taken as JSON' },
  ],
  restore: [
    { name: 'data-dir', value: 'DIR', text: 'where to: a data folder without a store (TRAINYARD_DATA_DIR, default ./data)' },
    {
      name: 'database-url',
      value: 'URL',
      text: 'where to: an empty PostgreSQL database; its fragments go into the data folder (TRAINYARD_DATABASE_URL)',
    },
    { name: 'end-leases', text: 'refuse the leases that were held when the backup was taken; else devices that still have them go on' },
    { name: 'json', text: 'print what was restored as JSON' },
  ],
};

const usage: Readonly<Record<UpkeepCommand, string>> = {
  backup:
    'Takes a backup of the store into a new folder, while gateways go on.\n\nUsage: trainyard backup FOLDER [flags]\n\n' +
    'It holds the hashes of keys and the secret that signs URLs: keep it as safe as the store itself.',
  restore: 'Restores a backup into an empty store of either database.\n\nUsage: trainyard restore FOLDER [flags]',
};

/** Runs one of the commands; answers its exit code. What went wrong has been said on stderr, in one line. */
export async function runUpkeep(
  command: UpkeepCommand,
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<number> {
  if (argv.includes('--help') || argv.includes('-h')) {
    process.stdout.write(describe(command));
    return exitCodes.succeeded;
  }
  const interrupt = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupt.abort());
  const { signal } = interrupt;
  const say = (line: string) => process.stderr.write(`${line}\n`);
  try {
    const { folder, place, given } = readCommand(command, argv, env);
    // Gateways and devices on this machine come first.
    setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
    const manifest =
      command === 'backup'
        ? await takeBackup(place, folder, { isLinked: !given.has('copy'), signal, say, now: () => new Date() })
        : await restoreBackup(folder, place, { endsLeases: given.has('end-leases'), signal, say });
    process.stdout.write(given.has('json') ? `${JSON.stringify(summaryOf(manifest))}\n` : `${sentenceOf(command, folder, manifest)}\n`);
    return exitCodes.succeeded;
  } catch (error) {
    if (signal.aborted) {
      say(`The ${command} was stopped; nothing is left of it.`);
      return exitCodes.interrupted;
    }
    const isKnown = error instanceof BackupRefused || error instanceof StoreUnusable || error instanceof ConfigError;
    const isSystem = error instanceof Error && 'code' in error;
    say(`trainyard ${command}: ${error instanceof Error ? (isKnown || isSystem ? error.message : error.stack) : String(error)}`);
    return isKnown || isSystem ? exitCodes.refused : exitCodes.fault;
  }
}

function readCommand(command: UpkeepCommand, argv: readonly string[], env: Readonly<Record<string, string | undefined>>) {
  const options = Object.fromEntries(
    flags[command].map(({ name, value }) => [name, { type: value ? ('string' as const) : ('boolean' as const) }]),
  );
  const { values, positionals } = parse(argv, options, command);
  const [folder = '', ...rest] = positionals;
  if (folder === '' || rest.length > 0)
    throw new ConfigError(`Usage: trainyard ${command} FOLDER [flags]\nSee trainyard ${command} --help.`);
  // The two settings are the gateway's own, and so is how they are read.
  const place = ['data-dir', 'database-url'].flatMap((name) => (typeof values[name] === 'string' ? [`--${name}`, values[name]] : []));
  return { folder, place: readConfig('serve', place, env).store, given: new Set(Object.keys(values)) };
}

function parse(argv: readonly string[], options: Record<string, { type: 'string' | 'boolean' }>, command: UpkeepCommand) {
  try {
    return parseArgs({ args: [...argv], options, strict: true, allowPositionals: true });
  } catch (error) {
    const known = Object.fromEntries(flags[command].map(({ name, value }) => [name, { value }]));
    const problem = explainFlag(known, error instanceof Error ? error.message : String(error));
    throw new ConfigError(`${problem}\nSee trainyard ${command} --help.`);
  }
}

function describe(command: UpkeepCommand): string {
  const lines = flags[command].map(({ name, value, text }) => `  ${`--${name}${value ? ` ${value}` : ''}`.padEnd(22)}${text}`);
  return `${usage[command]}\n\n${lines.join('\n')}\n`;
}

const rowsOf = ({ tables }: Manifest) => tables.reduce((sum, { rows }) => sum + rows, 0);
const bytesOf = ({ tables, fragments }: Manifest) => tables.reduce((sum, { sizeBytes }) => sum + sizeBytes, fragments.sizeBytes);

function summaryOf(manifest: Manifest) {
  const { takenAt, database, fragments } = manifest;
  return {
    takenAt,
    database,
    rows: rowsOf(manifest),
    sizeBytes: bytesOf(manifest),
    fragments: fragments.count,
    missingFragments: fragments.missing,
  };
}

function sentenceOf(command: UpkeepCommand, folder: string, manifest: Manifest): string {
  const { takenAt, fragments } = manifest;
  const what = `${rowsOf(manifest)} rows and ${fragments.count} fragments, ${(bytesOf(manifest) / 1e6).toFixed(1)} MB`;
  const gone = fragments.missing.length > 0 ? ` ${fragments.missing.length} fragments were deleted while the backup was taken.` : '';
  return command === 'backup' ? `${folder} shows the store at ${takenAt}: ${what}.${gone}` : `Restored: ${what}, of ${takenAt}.${gone}`;
}
