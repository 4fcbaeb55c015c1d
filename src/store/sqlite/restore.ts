import { closeSync, existsSync, fchmodSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import SqliteDatabase from 'better-sqlite3';
import { type BackupColumn, type BackupValue, quote, type Restore } from '../backup-format.ts';
import { makeFolder, syncFolder } from '../files/durable.ts';
import { newIdentityStatements } from '../restored-identity.ts';
import { StoreUnusable } from '../store.ts';
import { explainFile, lockFile, migrateFile, runOn } from './file.ts';

/**
 * Writes a temporary file next to the store's path and moves it there when it is complete: an
 * interrupted restore leaves no store.
 */
export async function restoreSqlite(file: string, migrations: number): Promise<Restore> {
  const beside = `${file}.restoring`;
  const opened: SqliteDatabase.Database[] = [];
  const end = () => {
    for (const connection of opened.splice(0).reverse()) connection.close();
  };
  try {
    makeFolder(dirname(file));
    opened.push(lockFile(file));
    if (existsSync(file)) throw new StoreUnusable(`There is a store at ${file} already. Restore the backup into an empty data folder.`);
    for (const left of ['', '-journal', '-wal', '-shm']) rmSync(`${beside}${left}`, { force: true });
    const connection = new SqliteDatabase(beside);
    opened.push(connection);
    // No journal is needed: if the process dies, the temporary file is discarded.
    connection.pragma('journal_mode = MEMORY');
    connection.pragma('synchronous = OFF');
    migrateFile(connection, { most: migrations });
    connection.pragma('foreign_keys = OFF');
    connection.exec('BEGIN');
    return of(connection, file, beside, end);
  } catch (error) {
    end();
    throw explainFile(error, file);
  }
}

function of(connection: SqliteDatabase.Database, file: string, beside: string, end: () => void): Restore {
  return {
    description: `sqlite ${String(connection.prepare('select sqlite_version()').pluck().get())}`,
    async insert({ name, columns }, rows) {
      const names = columns.map((column) => quote(column.name)).join(', ');
      const insert = connection.prepare(`insert into ${quote(name)} (${names}) values (${columns.map(() => '?').join(', ')})`);
      for (const row of rows) insert.run(row.map((value, i) => encode(value, columns[i])));
    },
    async finish(options) {
      runOn(connection, newIdentityStatements(options));
      const orphans = connection.prepare('pragma foreign_key_check').all().length;
      if (orphans > 0) throw new StoreUnusable(`${orphans} rows of the backup refer to rows that are not in it. Nothing was restored.`);
      connection.exec('COMMIT');
      connection.close();
      const handle = openSync(beside, 'r+');
      // It holds the hashes of keys.
      fchmodSync(handle, 0o600);
      fsyncSync(handle);
      closeSync(handle);
      removeLeftovers(file);
      renameSync(beside, file);
      try {
        syncFolder(dirname(file));
      } catch (error) {
        // If anything throws, there is no store.
        renameSync(file, beside);
        throw error;
      }
      end();
    },
    async abandon() {
      connection.close();
      for (const left of ['', '-journal']) rmSync(`${beside}${left}`, { force: true });
      // Only now: the next restore uses the same temporary file. The lock file stays. Another
      // process may have opened it, and a new lock file would be another lock.
      end();
    },
  };
}

/**
 * Removes files that a killed gateway left next to a store file that was then removed by hand.
 * SQLite would write their pages into the restored store.
 */
function removeLeftovers(file: string): void {
  for (const left of ['-journal', '-wal', '-shm']) rmSync(`${file}${left}`, { force: true });
  syncFolder(dirname(file));
}

function encode(value: BackupValue, column: BackupColumn | undefined): string | number | null {
  if (typeof value === 'boolean') return value ? 1 : 0;
  return column?.kind === 'real' && value !== null ? Number(value) : value;
}
