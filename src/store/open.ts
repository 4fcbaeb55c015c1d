/**
 * The only place that chooses the parts of a store: SQLite or PostgreSQL, and a folder of files.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Restore, Snapshot } from './backup-format.ts';
import { DiskFiles } from './files/disk.ts';
import { makeFolder } from './files/durable.ts';
import type { FileStore } from './files/file-store.ts';
import { migrationsOf } from './migrations.ts';
import { restorePostgres } from './postgres/restore.ts';
import { snapshotPostgres } from './postgres/snapshot.ts';
import { openPostgres } from './postgres/store.ts';
import { restoreSqlite } from './sqlite/restore.ts';
import { snapshotSqlite } from './sqlite/snapshot.ts';
import { openSqlite } from './sqlite/store.ts';
import { type Store, StoreUnusable } from './store.ts';

export interface StoreLocation {
  /** Holds the files of fragments, and the SQLite file if there is no PostgreSQL. */
  readonly dataDir: string;
  readonly databaseUrl: string | null;
}

export interface OpenOptions {
  /** The most connections to PostgreSQL. */
  readonly connections: number;
  /** Gives the store a new identity, as the child of its current one: see `renewingStatements`. */
  readonly isRenewed: boolean;
}

/** Throws StoreUnusable. */
export function openStore(location: StoreLocation, { connections, isRenewed }: OpenOptions): Promise<Store> {
  return location.databaseUrl === null
    ? openSqlite(sqliteFileOf(location), { isRenewed })
    : openPostgres(location.databaseUrl, { connections, isRenewed });
}

export function openFiles({ dataDir }: StoreLocation): FileStore {
  const folder = join(dataDir, 'fragments');
  makeFolder(folder);
  return new DiskFiles(folder);
}

/** Whether several gateways may use the store at once. */
export const isShared = ({ databaseUrl }: StoreLocation): boolean => databaseUrl !== null;

/** Throws StoreUnusable if there is no store that this program can read. */
export async function openSnapshot(location: StoreLocation): Promise<Snapshot> {
  if (location.databaseUrl !== null) return snapshotPostgres(location.databaseUrl);
  const file = sqliteFileOf(location);
  if (!existsSync(file)) throw new StoreUnusable(`There is no store at ${location.dataDir}: it has no trainyard.sqlite.`);
  return snapshotSqlite(file);
}

/**
 * Throws StoreUnusable if there is a store already, or none can be created. `migrations`: the
 * number that made the tables of the backup.
 */
export function openRestore(location: StoreLocation, migrations: number): Promise<Restore> {
  return location.databaseUrl === null
    ? restoreSqlite(sqliteFileOf(location), migrations)
    : restorePostgres(location.databaseUrl, migrations);
}

/** The number of migrations that this program knows for such a store. */
export const knownMigrations = ({ databaseUrl }: StoreLocation): number => migrationsOf(databaseUrl === null ? 'sqlite' : 'postgres').known;

const sqliteFileOf = ({ dataDir }: StoreLocation): string => join(dataDir, 'trainyard.sqlite');
