import SqliteDatabase from 'better-sqlite3';
import { type BackupRow, type BackupTable, type BackupValue, quote, type Snapshot, writeReal } from '../backup-format.ts';
import { migrationsOf } from '../migrations.ts';
import { StoreUnusable } from '../store.ts';

const ROWS_AT_ONCE = 500;
/** A starting gateway locks the file for a moment. */
const BUSY_TIMEOUT_MS = 5_000;

/**
 * A read transaction in a process of its own. With WAL, it and the gateway's writes do not wait for
 * each other.
 */
export function snapshotSqlite(file: string): Snapshot {
  let connection: SqliteDatabase.Database | undefined;
  try {
    connection = new SqliteDatabase(file, { readonly: true, fileMustExist: true, timeout: BUSY_TIMEOUT_MS });
    connection.exec('BEGIN');
    // The first read fixes the moment that the snapshot shows.
    const migrations = Number(connection.prepare('select count(*) from __drizzle_migrations').pluck().get());
    const newest = Number(connection.prepare('select max(created_at) from __drizzle_migrations').pluck().get());
    migrationsOf('sqlite').requireSame(newest);
    return of(connection, migrations);
  } catch (error) {
    connection?.close();
    if (error instanceof StoreUnusable) throw error;
    throw new StoreUnusable(`${file} cannot be read: ${error instanceof Error ? error.message : String(error)}.`);
  }
}

function of(connection: SqliteDatabase.Database, migrations: number): Snapshot {
  return {
    description: `sqlite ${String(connection.prepare('select sqlite_version()').pluck().get())}`,
    migrations,
    async *rows(table) {
      const found = connection.prepare(
        `select ${table.columns.map((column) => selectionOf(table, column.name)).join(', ')} from ${quote(table.name)}`,
      );
      const decode = decoderOf(table);
      let rows: BackupRow[] = [];
      for (const row of found.raw().iterate()) {
        rows.push(decode(row as (string | number | null)[])); // what SQLite has
        if (rows.length < ROWS_AT_ONCE) continue;
        yield rows;
        rows = [];
      }
      if (rows.length > 0) yield rows;
    },
    async close() {
      connection.close();
    },
  };
}

/** The end of the stream: cursors from before the backup stay valid in a store restored from it. */
const selectionOf = (table: BackupTable, column: string): string =>
  table.name === 'streams' && column === 'inherited' ? 'last' : quote(column);

function decoderOf({ columns }: BackupTable): (row: (string | number | null)[]) => BackupRow {
  const decoders = columns.map(({ kind }) => {
    if (kind === 'bool') return (value: string | number): BackupValue => value === 1;
    if (kind === 'real') return (value: string | number): BackupValue => writeReal(Number(value));
    return null;
  });
  return (row) => {
    for (const [i, decode] of decoders.entries()) {
      const value = row[i] ?? null;
      if (decode && value !== null) (row as BackupValue[])[i] = decode(value); // each value is replaced by its form in the backup
    }
    return row;
  };
}
