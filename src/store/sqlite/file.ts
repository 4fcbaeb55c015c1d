/**
 * Opens a SQLite file: the lock that gives it to one gateway, the settings of its connections, and
 * migrations.
 */
import { existsSync, lstatSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import SqliteDatabase from 'better-sqlite3';
import { readMigrationFiles } from 'drizzle-orm/migrator';
import { makeFolder, writeAnew } from '../files/durable.ts';
import { newIdentity } from '../identity.ts';
import { migrationsOf } from '../migrations.ts';
import { type RawStatement, renewingStatements } from '../restored-identity.ts';
import { StoreUnusable } from '../store.ts';

/**
 * Only a backup or a shell can hold a lock, for a short time. Waiting for it blocks the event loop.
 */
const BUSY_TIMEOUT_MS = 200;
const PAGE_CACHE_KIB = 65_536;

export interface SqliteOptions {
  /**
   * FULL keeps the promise of durability (P1). Only the test that proves it opens a store with
   * NORMAL.
   */
  readonly synchronous?: 'FULL' | 'NORMAL';
  /** Gives the store a new identity, as the child of its current one: see `renewingStatements`. */
  readonly isRenewed?: boolean;
}

export interface SqliteFile {
  readonly writer: SqliteDatabase.Database;
  readonly reader: SqliteDatabase.Database;
  /**
   * Whether the open file is still the one at its path. False after it was moved, removed or
   * replaced.
   */
  isInPlace(): boolean;
  close(): void;
}

/** Opens the file. Creates or migrates it if needed. */
export function openFile(named: string, { synchronous = 'FULL', isRenewed = false }: SqliteOptions = {}): SqliteFile {
  let file = named;
  const opened: SqliteDatabase.Database[] = [];
  const keep = (connection: SqliteDatabase.Database) => {
    opened.unshift(connection);
    return connection;
  };
  const close = () => {
    for (const connection of opened) connection.close();
  };
  try {
    makeFolder(dirname(named));
    file = placeOf(named);
    const lock = keep(lockFile(file));
    requireKnown(lock, file);
    // A process that was killed between writing a change and syncing it, or whose sync failed,
    // leaves a change that can be read but is not durable. A client would be told that it is done,
    // and the next power loss would undo it. So the WAL is written and synced again.
    writeAnew(`${file}-wal`);
    const writer = keep(new SqliteDatabase(file, { timeout: BUSY_TIMEOUT_MS }));
    setUp(writer, synchronous);
    migrateFile(writer);
    if (isRenewed) writer.transaction(() => runOn(writer, renewingStatements(newIdentity()))).immediate();
    const reader = keep(new SqliteDatabase(file, { readonly: true, timeout: BUSY_TIMEOUT_MS }));
    reader.pragma(`cache_size = -${PAGE_CACHE_KIB}`);
    noteKnown(lock);
    return { writer, reader, close, isInPlace: watchPlace(file) };
  } catch (error) {
    close();
    throw explainFile(error, file);
  }
}

/**
 * Resolves links, so that SQLite's other files are next to the file itself. Throws StoreUnusable
 * for a file with a hard link: under each name it would have a lock and a WAL of its own.
 */
function placeOf(named: string): string {
  const found = lstatSync(named, { throwIfNoEntry: false });
  if (found === undefined) return join(realpathSync(dirname(named)), basename(named));
  if (!existsSync(named)) throw new StoreUnusable(`${named} is a link to a file that does not exist.`);
  const file = realpathSync(named);
  const target = statSync(file);
  if (target.isFile() && target.nlink > 1)
    throw new StoreUnusable(
      `${file} has a hard link, by which another program could open it. Keep one name, and copy the file for the other.`,
    );
  if (isMounted(file))
    throw new StoreUnusable(`${file} is itself a mount. Mount its folder instead, which also holds SQLite's other files.`);
  return file;
}

/** On Linux: whether the file itself is a mount. */
function isMounted(file: string): boolean {
  const mounts = existsSync('/proc/self/mountinfo') ? readFileSync('/proc/self/mountinfo', 'utf8') : '';
  // Whitespace in names is written as octal numbers.
  const name = file.replaceAll(/[ \t\n\\]/g, (character) => `\\${character.charCodeAt(0).toString(8).padStart(3, '0')}`);
  return mounts.split('\n').some((line) => line.split(' ')[4] === name);
}

/** Returns a function that tells whether the open file is still the one at this path. */
function watchPlace(file: string): () => boolean {
  const opened = statSync(file, { bigint: true });
  return () => {
    const now = statSync(file, { bigint: true, throwIfNoEntry: false });
    return now !== undefined && now.dev === opened.dev && now.ino === opened.ino;
  };
}

/** The user_version of the lock file after a store was created. */
const KNOWN = 1;

/**
 * Throws StoreUnusable if a store was here and is gone. An empty one instead would look as if all
 * data were lost.
 */
function requireKnown(lock: SqliteDatabase.Database, file: string): void {
  if (existsSync(file) || lock.pragma('user_version', { simple: true }) !== KNOWN) return;
  throw new StoreUnusable(
    `${file} is gone, where there was a store before: put it back, with its -wal beside it; or remove ${file}.lock, and an empty one is made.`,
  );
}

/** Releases the lock for a moment, once in the life of a store. */
function noteKnown(lock: SqliteDatabase.Database): void {
  if (lock.pragma('user_version', { simple: true }) === KNOWN) return;
  lock.pragma(`user_version = ${KNOWN}`);
  lock.exec('COMMIT');
  lock.exec('BEGIN EXCLUSIVE');
}

/**
 * Locks the file for this process. The system releases the lock when the process ends, however it
 * ends.
 */
export function lockFile(file: string): SqliteDatabase.Database {
  const lock = new SqliteDatabase(`${file}.lock`, { timeout: 0 });
  try {
    lock.exec('BEGIN EXCLUSIVE');
    return lock;
  } catch (error) {
    lock.close();
    // A second gateway would not get the wake-ups of the first.
    if (error instanceof SqliteDatabase.SqliteError && error.code === 'SQLITE_BUSY')
      throw new StoreUnusable(`Another gateway is using ${file}.`);
    throw error;
  }
}

/** Explains an error of opening the file in one line. Unexpected errors stay as they are. */
export function explainFile(error: unknown, file: string): unknown {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code === 'SQLITE_NOTADB') return new StoreUnusable(`${file} is not a SQLite database.`);
  if (/^(SQLITE_(CANTOPEN|READONLY|PERM)|EACCES|EPERM|EROFS|ENOTDIR|EEXIST)/.test(code))
    return new StoreUnusable(`${file} cannot be written: ${error instanceof Error ? error.message : code}`);
  return error;
}

export function runOn(connection: SqliteDatabase.Database, statements: readonly RawStatement[]): void {
  for (const { text, values } of statements) connection.prepare(text.replaceAll('$1', '?')).run(...values);
}

function setUp(connection: SqliteDatabase.Database, synchronous: 'FULL' | 'NORMAL'): void {
  connection.pragma('journal_mode = WAL');
  // Set on every connection: better-sqlite3 is compiled to use NORMAL for a file that is already in
  // WAL mode.
  connection.pragma(`synchronous = ${synchronous}`);
  connection.pragma('foreign_keys = ON');
  connection.pragma(`cache_size = -${PAGE_CACHE_KIB}`);
}

/**
 * Migrates the file to the newest version, or to the given number of migrations. All missing
 * migrations run in one transaction.
 *
 * Drizzle's own migrator commits before foreign keys can be checked. Its table of applied
 * migrations is used as it is.
 */
export function migrateFile(
  writer: SqliteDatabase.Database,
  { folder, most = Number.POSITIVE_INFINITY }: { folder?: string; most?: number } = {},
): void {
  const { migrationsFolder, refuseNewer } = migrationsOf('sqlite', folder);
  const isKnown = writer.prepare(`select 1 from sqlite_master where name = '__drizzle_migrations'`).get() !== undefined;
  const applied = isKnown ? Number(writer.prepare('select max(created_at) from __drizzle_migrations').pluck().get()) : null;
  refuseNewer(applied);
  const missing = readMigrationFiles({ migrationsFolder })
    .slice(0, most)
    .filter(({ folderMillis }) => folderMillis > (applied ?? -1));
  if (missing.length === 0) return;
  // A generated rebuild of a table drops the old one. With foreign keys on, that would delete its
  // children. The same pragma inside the migrations has no effect in a transaction.
  writer.pragma('foreign_keys = OFF');
  try {
    writer
      .transaction(() => {
        writer.exec('create table if not exists __drizzle_migrations (id serial primary key, hash text not null, created_at numeric)');
        for (const { sql, hash, folderMillis } of missing) {
          for (const statement of sql) writer.exec(statement);
          writer.prepare('insert into __drizzle_migrations (hash, created_at) values (?, ?)').run(hash, folderMillis);
        }
        const orphans = writer.prepare('pragma foreign_key_check').all().length;
        if (orphans > 0) throw new StoreUnusable(`A migration would leave ${orphans} rows without their parent rows. Nothing was changed.`);
      })
      .immediate();
  } finally {
    writer.pragma('foreign_keys = ON');
  }
}
