/**
 * Restores a backup into an empty store of either database.
 *
 * Everything is verified before anything is written. Then the files are put in place, where they
 * are invisible without rows. Then the tables are written in one transaction. So an interrupted
 * restore leaves no store and can be run again.
 */
import { join } from 'node:path';
import type { BackupRow, Restore } from '../store/backup-format.ts';
import { copyFiles } from '../store/files/copy.ts';
import { DiskFiles } from '../store/files/disk.ts';
import type { FileStore } from '../store/files/file-store.ts';
import { newIdentity } from '../store/identity.ts';
import { knownMigrations, openFiles, openRestore, type StoreLocation } from '../store/open.ts';
import { StoreUnusable } from '../store/store.ts';
import { fragmentOf, type StoredFragment, verifyFragment } from './fragments.ts';
import { BackupRefused, type Manifest, readManifest, type TableEntry } from './manifest.ts';
import { readTable, verifyTable } from './table-files.ts';

export interface RestoreOptions {
  /**
   * Whether the leases held at the time of the backup end. If not, their holders go on as after an
   * outage.
   */
  readonly endsLeases: boolean;
  readonly signal: AbortSignal;
  say(line: string): void;
}

/**
 * Throws BackupRefused and StoreUnusable. After any error there is no store, unless the message
 * says that this is unknown.
 */
export async function restoreBackup(from: string, location: StoreLocation, options: RestoreOptions): Promise<Manifest> {
  const { signal, say, endsLeases } = options;
  const manifest = await readManifest(from);
  if (manifest.migrations > knownMigrations(location))
    throw new BackupRefused(`${from} was made by a newer version of Trainyard; restore it with that version.`);
  const taken = new DiskFiles(join(from, 'fragments'));
  const fragments = await verify(from, manifest, taken, signal);
  say(`The backup of ${manifest.takenAt} is complete.`);
  const target = await openRestore(location, manifest.migrations);
  try {
    await copyFiles(taken, openFiles(location), fragments, { isLinked: false, signal });
    if (fragments.length > 0) say(`${fragments.length} fragments are in place. The tables follow.`);
    for (const table of manifest.tables) {
      await restoreTable(from, target, table, new Set(manifest.fragments.missing), signal);
      if (table.rows > 0) say(`${table.name}: ${table.rows} rows`);
    }
    signal.throwIfAborted();
    await target.finish({ identity: newIdentity(), endsLeases });
  } catch (error) {
    await target.abandon();
    throw error;
  }
  return manifest;
}

/** Resolves with the files that it has. */
async function verify(from: string, manifest: Manifest, taken: FileStore, signal: AbortSignal): Promise<StoredFragment[]> {
  for (const table of manifest.tables) {
    signal.throwIfAborted();
    await verifyTable(from, table);
  }
  const table = manifest.tables.find(({ name }) => name === 'fragments');
  if (!table) throw new BackupRefused('The backup is damaged: it has no table of fragments.');
  const read = fragmentOf(table);
  const missing = new Set(manifest.fragments.missing);
  const files: StoredFragment[] = [];
  for await (const rows of readTable(from, table)) {
    for (const row of rows) {
      const fragment = read(row);
      if (fragment && !missing.has(fragment.id)) files.push(fragment);
    }
  }
  for (const fragment of files) {
    signal.throwIfAborted();
    await verifyFragment(taken, fragment);
  }
  return files;
}

async function restoreTable(
  from: string,
  target: Restore,
  table: TableEntry,
  missing: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<void> {
  const withoutBytes = table.name === 'fragments' && missing.size > 0 ? asAnnounced(table) : null;
  for await (const rows of readTable(from, table)) {
    signal.throwIfAborted();
    const whole = withoutBytes ? rows.map((row) => (missing.has(String(row[withoutBytes.id])) ? withoutBytes.change(row) : row)) : rows;
    await target.insert(table, whole).catch((error: unknown) => {
      if (error instanceof StoreUnusable) throw error;
      throw new BackupRefused(
        `The table ${table.name} of the backup does not fit: ${error instanceof Error ? error.message : String(error)}.`,
      );
    });
  }
}

/**
 * A fragment whose bytes were deleted during the backup becomes an announced one, whose bytes have
 * not come.
 */
function asAnnounced({ columns }: TableEntry) {
  const announced: Readonly<Record<string, string | null>> = { status: 'PENDING', sha256: null, size_bytes: null, ready_at: null };
  const id = columns.findIndex(({ name }) => name === 'id');
  const change = (row: BackupRow): BackupRow =>
    columns.map(({ name }, i) => (name in announced ? (announced[name] ?? null) : (row[i] ?? null)));
  return { id, change };
}
