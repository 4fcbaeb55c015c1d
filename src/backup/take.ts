/**
 * Taking a backup while gateways write: one moment of all tables, with every file that they speak of.
 *
 * The files are taken twice: before the moment, those that there are, and after it, those that came between. So a file that is deleted after the
 * moment has been taken already, unless it also came just before it; of such a one the backup says that it is missing. All this happens in a folder
 * beside, which gets its name when it is whole.
 */
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { type BackupTable, backupTables } from '../store/backup-format.ts';
import { makeFolder, syncFolder } from '../store/files/durable.ts';
import { fragmentFolderOf, openSnapshot, type StoreLocation } from '../store/snapshot.ts';
import { dropFragment, fragmentOf, type StoredFragment, takeFragment } from './fragments.ts';
import { BackupRefused, FORMAT, MANIFEST, type Manifest, type TableEntry } from './manifest.ts';
import { writeTable } from './table-files.ts';

export interface TakeOptions {
  /** Whether the files of fragments may be other names of the store's own, where the file system can do that. */
  readonly isLinked: boolean;
  readonly signal: AbortSignal;
  now(): Date;
  /** Told how far it has come. */
  say(line: string): void;
}

/** Makes the folder `to`, which must not be there. Throws BackupRefused and StoreUnusable; whatever it throws, it leaves nothing behind. */
export async function takeBackup(place: StoreLocation, to: string, options: TakeOptions): Promise<Manifest> {
  const target = resolve(to);
  if (existsSync(target)) throw new BackupRefused(`${to} is there already; a backup is a new folder.`);
  const folder = join(dirname(target), `${basename(target)}.unfinished-${randomUUID().slice(0, 8)}`);
  try {
    makeFolder(dirname(target));
    for (const part of ['', 'tables', 'fragments']) mkdirSync(join(folder, part), { mode: 0o700 });
  } catch (error) {
    throw new BackupRefused(`${to} cannot be made: ${error instanceof Error ? error.message : String(error)}.`);
  }
  try {
    const manifest = await fill(place, folder, options);
    await writeManifest(folder, manifest);
    for (const shard of readdirSync(join(folder, 'fragments'))) syncFolder(join(folder, 'fragments', shard));
    for (const part of ['tables', 'fragments', '']) syncFolder(join(folder, part));
    options.signal.throwIfAborted();
    await rename(folder, target);
    syncFolder(dirname(target));
    return manifest;
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

const fragmentTable = backupTables.find(({ name }) => name === 'fragments') as BackupTable; // one of the tables

async function fill(place: StoreLocation, folder: string, { isLinked, signal, now, say }: TakeOptions): Promise<Manifest> {
  const taken = new Map<string, StoredFragment>();
  const take = async (fragment: StoredFragment) => {
    signal.throwIfAborted();
    if (!(await takeFragment(fragmentFolderOf(place), join(folder, 'fragments'), fragment, isLinked))) return false;
    taken.set(nameOf(fragment), fragment);
    return true;
  };
  for (const fragment of await readFragments(place)) await take(fragment);
  say(`${taken.size} fragments are here; the tables follow.`);

  const snapshot = await openSnapshot(place);
  const takenAt = now();
  const inTables = new Map<string, StoredFragment>();
  const read = fragmentOf(fragmentTable);
  const tables: TableEntry[] = [];
  try {
    for (const table of backupTables) {
      const look = (row: Parameters<typeof read>[0]) => {
        const fragment = read(row);
        if (fragment) inTables.set(nameOf(fragment), fragment);
      };
      const entry = await writeTable(folder, table, snapshot.rows(table), { signal, ...(table === fragmentTable ? { look } : {}) });
      tables.push(entry);
      if (entry.rows > 0) say(`${table.name}: ${entry.rows} rows`);
    }
  } finally {
    await snapshot.close();
  }

  const missing: string[] = [];
  for (const [name, fragment] of inTables) if (!taken.has(name) && !(await take(fragment))) missing.push(fragment.id);
  for (const [name, fragment] of taken) {
    if (inTables.has(name)) continue;
    await dropFragment(join(folder, 'fragments'), fragment);
    taken.delete(name);
  }
  const sizeBytes = [...taken.values()].reduce((sum, fragment) => sum + fragment.sizeBytes, 0);
  const { description, migrations } = snapshot;
  return {
    format: FORMAT,
    takenAt: takenAt.toISOString(),
    database: description,
    migrations,
    tables,
    fragments: { count: taken.size, sizeBytes, missing },
  };
}

async function readFragments(place: StoreLocation): Promise<StoredFragment[]> {
  const snapshot = await openSnapshot(place);
  const found: StoredFragment[] = [];
  const read = fragmentOf(fragmentTable);
  try {
    for await (const rows of snapshot.rows(fragmentTable)) found.push(...rows.map(read).filter((fragment) => fragment !== null));
  } finally {
    await snapshot.close();
  }
  return found;
}

const nameOf = ({ id, sha256 }: StoredFragment) => `${id} ${sha256}`;

async function writeManifest(folder: string, manifest: Manifest): Promise<void> {
  const file = await open(join(folder, MANIFEST), 'wx', 0o600);
  try {
    await file.writeFile(`${JSON.stringify(manifest, null, 2)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
}
