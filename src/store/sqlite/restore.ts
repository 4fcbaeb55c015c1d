import { closeSync, existsSync, fchmodSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import SqliteDatabase from 'better-sqlite3';
import { type BackupColumn, type BackupValue, quote, type Restore } from '../backup-format.ts';
import { makeFolder, syncFolder } from '../files/durable.ts';
import { newIdentityStatements } from '../restored-identity.ts';
import { StoreUnusable } from '../store.ts';
import { explainFile, lockFile, migrateFile, runOn } from './file.ts';

/** Writes a file beside its place, and moves it there when it is whole: a restore that is cut off leaves no store. */
export async function restoreSqlite(file: string, migrations: number): Promise<Restore> {
  const beside = `${file}.restoring`;
  const opened: SqliteDatabase.Database[] = [];
  const end = () => {
    for (const connection of opened.splice(0).reverse()) connection.close();
  };
  try {
    makeFolder(dirname(file));
    opened.push(lockFile(file));
    if (existsSync(file)) throw new StoreUnusable(`There is a store at ${file} already; a backup is restored into an empty data folder.`);
    for (const left of ['', '-journal', '-wal', '-shm']) rmSync(`${beside}${left}`, { force: true });
    const connection = new SqliteDatabase(beside);
    opened.push(connection);
    // What it is to be safe from is the loss of a file that is not in its place yet.
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
      if (orphans > 0)
        throw new StoreUnusable(`${orphans} rows of the backup refer to others that it does not hold; nothing was restored.`);
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
        // What throws leaves no store.
        renameSync(file, beside);
        throw error;
      }
      end();
    },
    async abandon() {
      connection.close();
      for (const left of ['', '-journal']) rmSync(`${beside}${left}`, { force: true });
      // Not before: the next restore writes to the same file. The lock's own file stays, for another process may have opened it by now, and whoever
      // made a new one would hold another lock than that one.
      end();
    },
  };
}

/** What a store leaves beside its file when it was killed, and that file was then removed alone: SQLite would put its pages into the restored one. */
function removeLeftovers(file: string): void {
  for (const left of ['-journal', '-wal', '-shm']) rmSync(`${file}${left}`, { force: true });
  syncFolder(dirname(file));
}

function encode(value: BackupValue, column: BackupColumn | undefined): string | number | null {
  if (typeof value === 'boolean') return value ? 1 : 0;
  return column?.kind === 'real' && value !== null ? Number(value) : value;
}
