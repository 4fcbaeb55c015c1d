/** One consistent moment of a database, to be read table by table while others go on writing. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { BackupRow, BackupTable } from './backup-format.ts';
import { snapshotPostgres } from './postgres/snapshot.ts';
import { snapshotSqlite } from './sqlite/snapshot.ts';
import { StoreUnusable } from './store.ts';

export interface Snapshot {
  /** For people. */
  readonly description: string;
  /** How many migrations have been applied to it. */
  readonly migrations: number;
  /** The rows of a table, some hundreds at a time. One table at once. */
  rows(table: BackupTable): AsyncIterable<readonly BackupRow[]>;
  close(): Promise<void>;
}

/** Where a store is: its data folder, and its PostgreSQL if it has one. */
export interface StoreLocation {
  readonly dataDir: string;
  readonly databaseUrl: string | null;
}

export const sqliteFileOf = ({ dataDir }: StoreLocation): string => join(dataDir, 'trainyard.sqlite');
export const fragmentFolderOf = ({ dataDir }: StoreLocation): string => join(dataDir, 'fragments');

/** Throws StoreUnusable where there is no store that this program can read. */
export async function openSnapshot(place: StoreLocation): Promise<Snapshot> {
  if (place.databaseUrl !== null) return snapshotPostgres(place.databaseUrl);
  const file = sqliteFileOf(place);
  if (!existsSync(file)) throw new StoreUnusable(`There is no store at ${place.dataDir}: it has no trainyard.sqlite.`);
  return snapshotSqlite(file);
}
