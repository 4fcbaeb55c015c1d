/** Opening a SQLite file: the lock that makes it one gateway's, the settings of each connection, and its migrations. */
import { existsSync, lstatSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import SqliteDatabase from 'better-sqlite3';
import { readMigrationFiles } from 'drizzle-orm/migrator';
import { makeFolder, writeAnew } from '../files/durable.ts';
import { newIdentity } from '../identity.ts';
import { migrationsOf } from '../migrations.ts';
import { type RawStatement, renewingStatements } from '../restored-identity.ts';
import { StoreUnusable } from '../store.ts';

/** Nobody else writes to the file; the wait is for a backup's or a shell's short lock, and it blocks the loop. */
const BUSY_TIMEOUT_MS = 200;
const PAGE_CACHE_KIB = 65_536;

export interface SqliteOptions {
  /** FULL is the promise (P1). Only the test that shows why opens a store with NORMAL. */
  readonly synchronous?: 'FULL' | 'NORMAL';
  /** Gives the store a new identity, as the child of the one that it has: see `renewingStatements`. */
  readonly isRenewed?: boolean;
}

export interface SqliteFile {
  readonly writer: SqliteDatabase.Database;
  readonly reader: SqliteDatabase.Database;
  /** Whether the file that is open is the one that stands in its place: false once it was moved, removed or replaced. */
  isInPlace(): boolean;
  close(): void;
}

/** Opens the file, making or migrating it as needed. */
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
    // A process that was killed between writing a change and its sync, or whose sync failed, leaves a change that is read as any other and yet not
    // durable: who asked for it would be told that it is done, and the next power loss would take it.
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
 * Where the file itself is: a link to it is not another one, and what SQLite keeps beside it is beside itself. Throws StoreUnusable for a file that has
 * a second name which no link leads to: by each name it would have a lock and a WAL of its own.
 */
function placeOf(named: string): string {
  const found = lstatSync(named, { throwIfNoEntry: false });
  if (found === undefined) return join(realpathSync(dirname(named)), basename(named));
  if (!existsSync(named)) throw new StoreUnusable(`${named} is a link to a file that is not there.`);
  const file = realpathSync(named);
  const target = statSync(file);
  if (target.isFile() && target.nlink > 1)
    throw new StoreUnusable(
      `${file} has another name (a hard link), by which another program could open it: keep one, and copy it for the other.`,
    );
  if (isMounted(file))
    throw new StoreUnusable(`${file} is mounted by itself: mount the folder that it is in, with what SQLite keeps beside it.`);
  return file;
}

/** On Linux: whether the file is a mount of its own. */
function isMounted(file: string): boolean {
  const mounts = existsSync('/proc/self/mountinfo') ? readFileSync('/proc/self/mountinfo', 'utf8') : '';
  // Blanks in names are written as octal numbers.
  const name = file.replaceAll(/[ \t\n\\]/g, (character) => `\\${character.charCodeAt(0).toString(8).padStart(3, '0')}`);
  return mounts.split('\n').some((line) => line.split(' ')[4] === name);
}

/** Answers whether the file in this place is still the one that is there now. */
function watchPlace(file: string): () => boolean {
  const opened = statSync(file, { bigint: true });
  return () => {
    const now = statSync(file, { bigint: true, throwIfNoEntry: false });
    return now !== undefined && now.dev === opened.dev && now.ino === opened.ino;
  };
}

/** What the lock's file says once there was a store: its user_version. */
const KNOWN = 1;

/** Throws StoreUnusable where there was a store and is none: an empty one in its place would look as if all were lost. */
function requireKnown(lock: SqliteDatabase.Database, file: string): void {
  if (existsSync(file) || lock.pragma('user_version', { simple: true }) !== KNOWN) return;
  throw new StoreUnusable(
    `${file} is gone, where there was a store before: put it back, with its -wal beside it; or remove ${file}.lock, and an empty one is made.`,
  );
}

/** Lets go of the lock for a moment, once in the life of a store. */
function noteKnown(lock: SqliteDatabase.Database): void {
  if (lock.pragma('user_version', { simple: true }) === KNOWN) return;
  lock.pragma(`user_version = ${KNOWN}`);
  lock.exec('COMMIT');
  lock.exec('BEGIN EXCLUSIVE');
}

/** Makes the file this process's alone. The lock is held while the process lives, and let go by the system however it ends. */
export function lockFile(file: string): SqliteDatabase.Database {
  const lock = new SqliteDatabase(`${file}.lock`, { timeout: 0 });
  try {
    lock.exec('BEGIN EXCLUSIVE');
    return lock;
  } catch (error) {
    lock.close();
    // A second gateway would not hear of the first one's news.
    if (error instanceof SqliteDatabase.SqliteError && error.code === 'SQLITE_BUSY')
      throw new StoreUnusable(`Another gateway is using ${file}.`);
    throw error;
  }
}

/** In one line, for whoever started the gateway. Anything that is not expected here stays what it is. */
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
  // On every open: better-sqlite3 is compiled to fall back to NORMAL when it opens a file that is in WAL mode already.
  connection.pragma(`synchronous = ${synchronous}`);
  connection.pragma('foreign_keys = ON');
  connection.pragma(`cache_size = -${PAGE_CACHE_KIB}`);
}

/**
 * Brings the file up to date, or to where it was after the first so many migrations: all of what is missing in one transaction, or nothing.
 *
 * Drizzle's own migrator commits before rows that lost their parents can be looked for; the table in which it keeps count is used as it is.
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
  // A generated rebuild of a table drops the old one: with foreign keys on, that would delete its children. Inside a transaction the pragma,
  // which is in those migrations too, does nothing.
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
        if (orphans > 0) throw new StoreUnusable(`A migration would leave ${orphans} rows without their parents; nothing was changed.`);
      })
      .immediate();
  } finally {
    writer.pragma('foreign_keys = ON');
  }
}
