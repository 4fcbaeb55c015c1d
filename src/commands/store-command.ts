/**
 * What `trainyard backup` and `restore` share: both work on a store directly, whether or not a
 * gateway runs on it.
 */
import { constants, setPriority } from 'node:os';
import { BackupRefused, type Manifest } from '../backup/manifest.ts';
import { asksForHelp, readWords, renderHelp, type Usage } from '../cli/command.ts';
import type { Given } from '../cli/input/flags.ts';
import { exitCodes, UsageError } from '../cli/io.ts';
import { ConfigError, readConfig } from '../config/config.ts';
import type { Environment } from '../initial-memory.ts';
import { stopOnSignal } from '../stop-signals.ts';
import type { StoreLocation } from '../store/open.ts';
import { StoreUnusable } from '../store/store.ts';

export interface StoreCommand extends Usage {
  run(work: StoreWork): Promise<Manifest>;
  /** Says what was done. `content` says how much there was. */
  describe(folder: string, manifest: Manifest, content: string): string;
}

export interface StoreWork {
  readonly folder: string;
  readonly location: StoreLocation;
  readonly given: Given;
  readonly signal: AbortSignal;
  say(line: string): void;
}

/**
 * Runs a command. Resolves with the exit code. Errors have been written to stderr, if possible in
 * one line.
 */
export async function runStoreCommand(command: StoreCommand, argv: readonly string[], env: Environment): Promise<number> {
  if (asksForHelp(argv)) {
    process.stdout.write(renderHelp(command));
    return exitCodes.succeeded;
  }
  const interrupt = new AbortController();
  stopOnSignal(() => interrupt.abort());
  const { signal } = interrupt;
  const say = (line: string) => process.stderr.write(`${line}\n`);
  try {
    const given = readWords(command, argv);
    const [folder = ''] = given.args;
    const location = locationOf(given, env);
    // Gateways and devices on this machine come first.
    setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
    const manifest = await command.run({ folder, location, given, signal, say });
    const done = given.has('json') ? JSON.stringify(summaryOf(manifest)) : sentenceOf(command, folder, manifest);
    process.stdout.write(`${done}\n`);
    return exitCodes.succeeded;
  } catch (error) {
    if (signal.aborted) {
      say(`The ${command.name} was stopped. It left nothing behind.`);
      return exitCodes.interrupted;
    }
    const isKnown =
      error instanceof UsageError || error instanceof BackupRefused || error instanceof StoreUnusable || error instanceof ConfigError;
    const isSystem = error instanceof Error && 'code' in error;
    say(`trainyard ${command.name}: ${error instanceof Error ? (isKnown || isSystem ? error.message : error.stack) : String(error)}`);
    if (error instanceof UsageError) say(`See trainyard ${command.name} --help.`);
    return isKnown || isSystem ? exitCodes.refused : exitCodes.fault;
  }
}

/** Both are settings of the gateway, and are read as such. */
function locationOf(given: Given, env: Environment): StoreLocation {
  const flags = ['data-dir', 'database-url'].flatMap((name) => {
    const value = given.text(name);
    return value === undefined ? [] : [`--${name}`, value];
  });
  return readConfig('serve', flags, env).store;
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

function sentenceOf(command: StoreCommand, folder: string, manifest: Manifest): string {
  const { count, missing } = manifest.fragments;
  const content = `${rowsOf(manifest)} rows and ${count} fragments, ${(bytesOf(manifest) / 1e6).toFixed(1)} MB`;
  const gone = missing.length > 0 ? ` ${missing.length} fragments were deleted while the backup was taken.` : '';
  return `${command.describe(folder, manifest, content)}${gone}`;
}
