/** Filling an empty store with what a backup holds: all of it, or nothing. */

import type { BackupRow, BackupTable } from './backup-format.ts';
import { restorePostgres } from './postgres/restore.ts';
import { type StoreLocation, sqliteFileOf } from './snapshot.ts';
import { restoreSqlite } from './sqlite/restore.ts';

export interface Restore {
  readonly description: string;
  insert(table: BackupTable, rows: readonly BackupRow[]): Promise<void>;
  /** Gives the store an identity of its own, and makes it durable and whole. Before this returns, there is no store. */
  finish(options: FinishOptions): Promise<void>;
  /** Leaves the place without a store, as it was found. */
  abandon(): Promise<void>;
}

export interface FinishOptions {
  /** Of the restored store. */
  readonly identity: string;
  /** Whether the leases that were held end: their tokens are refused, and their steps can be claimed as soon as a gateway starts. */
  readonly endsLeases: boolean;
}

/** Throws StoreUnusable when there is a store already, or it cannot be made. `migrations`: how many the backup's tables are the outcome of. */
export function openRestore(place: StoreLocation, migrations: number): Promise<Restore> {
  return place.databaseUrl === null ? restoreSqlite(sqliteFileOf(place), migrations) : restorePostgres(place.databaseUrl, migrations);
}
