/**
 * Takes a backup while gateways write: one snapshot of all tables, with every file that they refer
 * to.
 *
 * Files are copied twice: the existing ones before the snapshot, and those added in between after
 * it. So a file that is deleted after the snapshot was already copied, unless it also came just
 * before; the backup reports such a file as missing. All this happens in a temporary folder, which
 * gets its name when it is complete.
 */
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { type BackupTable, backupTables } from '../store/backup-format.ts';
import { copyFiles } from '../store/files/copy.ts';
import { DiskFiles } from '../store/files/disk.ts';
import { makeFolder, syncFolder } from '../store/files/durable.ts';
import { openFiles, openSnapshot, type StoreLocation } from '../store/open.ts';
import { fragmentOf, type StoredFragment } from './fragments.ts';
import { BackupRefused, FORMAT, MANIFEST, type Manifest, type TableEntry } from './manifest.ts';
import { writeTable } from './table-files.ts';

export interface TakeOptions {
  /** Whether fragments may be hard links to the store's files, if the file system has them. */
  readonly isLinked: boolean;
  readonly signal: AbortSignal;
  now(): Date;
  /** Receives progress messages. */
  say(line: string): void;
}

/**
 * Creates the folder `to`, which must not exist. Throws BackupRefused and StoreUnusable. After any
 * error, nothing is left behind.
 */
export async function takeBackup(location: StoreLocation, to: string, options: TakeOptions): Promise<Manifest> {
  const target = resolve(to);
  if (existsSync(target)) throw new BackupRefused(`${to} exists already. A backup needs a new folder.`);
  const folder = join(dirname(target), `${basename(target)}.unfinished-${randomUUID().slice(0, 8)}`);
  try {
    makeFolder(dirname(target));
    for (const part of ['', 'tables', 'fragments']) mkdirSync(join(folder, part), { mode: 0o700 });
  } catch (error) {
    throw new BackupRefused(`${to} cannot be created: ${error instanceof Error ? error.message : String(error)}.`);
  }
  try {
    const manifest = await fill(location, folder, options);
    await writeManifest(folder, manifest);
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

async function fill(location: StoreLocation, folder: string, { isLinked, signal, now, say }: TakeOptions): Promise<Manifest> {
  const before = await readFragments(location);
  const [from, to] = [openFiles(location), new DiskFiles(join(folder, 'fragments'))];
  const taken = new Map<string, StoredFragment>();
  /** Resolves with those that were missing. */
  const take = async (fragments: readonly StoredFragment[]) => {
    const missing = await copyFiles(from, to, fragments, { isLinked, signal });
    for (const fragment of fragments) if (!missing.includes(fragment)) taken.set(nameOf(fragment), fragment);
    return missing;
  };
  await take(before);
  say(`${taken.size} fragments were copied. The tables follow.`);

  const snapshot = await openSnapshot(location);
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

  const missing = await take([...inTables].filter(([name]) => !taken.has(name)).map(([, fragment]) => fragment));
  for (const [name, fragment] of taken) {
    if (inTables.has(name)) continue;
    await to.removeFile(fragment);
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
    fragments: { count: taken.size, sizeBytes, missing: missing.map(({ id }) => id) },
  };
}

async function readFragments(location: StoreLocation): Promise<StoredFragment[]> {
  const snapshot = await openSnapshot(location);
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
