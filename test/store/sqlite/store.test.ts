/** Behaviour of a SQLite file only: durability on every open, one gateway per file, a full disk. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import SqliteDatabase from 'better-sqlite3';
import { sql } from 'drizzle-orm';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { migrateFile } from '../../../src/store/sqlite/file.ts';
import { openSqlite } from '../../../src/store/sqlite/store.ts';
import { type Store, StoreUnusable, type Tx } from '../../../src/store/store.ts';
import { createSqliteDatabase, type TestDatabase } from '../../support/databases.ts';
import { writeMigrations } from '../migrations.ts';

const pragma = async (store: Store, name: string) => {
  const row: unknown = await store.write(async ({ db }) => db.get(sql.raw(`pragma ${name}`)));
  return row instanceof Object ? Object.values(row)[0] : row;
};
const note = (key: string, value: string) => (tx: Tx) => Promise.resolve(tx.db.insert(tx.t.meta).values({ key, value }));
const keysOf = async (store: Store) => (await store.read.db.select().from(store.tables.meta)).map(({ key }) => key);

describe('A SQLite store', () => {
  let database: TestDatabase;
  beforeEach(async () => {
    database = await createSqliteDatabase();
  });
  afterEach(() => database.remove());

  test('syncs every commit to the disk, also when it opens a file that is in WAL mode already (P1)', async () => {
    const FULL = 2;
    const first = await database.open();
    expect(await pragma(first, 'synchronous')).toBe(FULL);
    expect(await pragma(first, 'journal_mode')).toBe('wal');
    await first.close();
    const second = await database.open();
    expect(await pragma(second, 'synchronous')).toBe(FULL);
    expect(await pragma(second, 'journal_mode')).toBe('wal');
  });

  test('checks foreign keys after its migrations have run', async () => {
    const store = await database.open();
    expect(await pragma(store, 'foreign_keys')).toBe(1);
  });

  test('reads through a connection that cannot write', async () => {
    const store = await database.open();
    const { db, t } = store.read;
    await expect(Promise.resolve().then(() => db.insert(t.meta).values({ key: 'x', value: '' }))).rejects.toThrow();
  });

  test('answers every write of a group that cannot be rolled back, and continues when it can', async () => {
    const store = await database.open();
    const opened: IterableIterator<unknown>[] = [];
    const writes = [
      store.write(note('before', '')),
      store.write(async ({ db }) => {
        // Cast: the connection itself, which the common type of the databases hides. It does
        // nothing else while it reads rows one by one.
        const { $client } = db as unknown as { $client: SqliteDatabase.Database };
        const rows = $client.prepare('select 1 union select 2').iterate();
        rows.next();
        opened.push(rows);
      }),
      store.write(note('after', '')),
    ];
    expect((await Promise.allSettled(writes)).map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    await expect(store.write(note('next', ''))).rejects.toThrow('busy');
    for (const rows of opened) rows.return?.();
    await store.write(note('again', ''));
    expect((await keysOf(store)).filter((key) => ['before', 'after', 'next', 'again'].includes(key))).toEqual(['again']);
  });

  test('is refused to a second gateway while the first one has it open', async () => {
    const first = await database.open();
    await expect(openSqlite(database.file)).rejects.toThrow(StoreUnusable);
    await expect(openSqlite(database.file)).rejects.toThrow(/^Another gateway is using .*\.sqlite\.$/);
    await first.write(note('still', 'works'));
    await first.close();
    expect(await keysOf(await database.open())).toContain('still');
  });

  test('refuses a file that is no database, and leaves it as it is', async () => {
    writeFileSync(database.file, 'Dear diary, '.repeat(200));
    await expect(database.open()).rejects.toThrow(/is not a SQLite database\.$/);
    expect(readFileSync(database.file, 'utf8')).toBe('Dear diary, '.repeat(200));
    expect(existsSync(`${database.file}-wal`)).toBe(false);
  });

  test('explains in one line that its folder cannot be created or its file cannot be opened', async () => {
    const file = join(database.folder, 'a-file');
    writeFileSync(file, '');
    await expect(openSqlite(join(file, 'trainyard.sqlite'))).rejects.toThrow(/trainyard\.sqlite cannot be written: .+$/);
    await expect(openSqlite(join(file, 'trainyard.sqlite'))).rejects.toThrow(StoreUnusable);
    mkdirSync(database.file);
    await expect(database.open()).rejects.toThrow(/cannot be written/);
  });

  test('refuses a database that a newer version has migrated, and leaves it as it is', async () => {
    await (await database.open()).close();
    const file = new SqliteDatabase(database.file);
    file.prepare(`insert into __drizzle_migrations (hash, created_at) values ('of the future', ?)`).run(Date.now() + 1e12);
    file.close();
    const before = readFileSync(database.file);
    await expect(database.open()).rejects.toThrow(StoreUnusable);
    await expect(database.open()).rejects.toThrow(/newer version/);
    expect(readFileSync(database.file).equals(before)).toBe(true);
  });

  test('refuses only the write of a group that a full disk has no space for', async () => {
    const store = await database.open();
    const pages = await pragma(store, 'page_count');
    await pragma(store, `max_page_count = ${Number(pages) + 2}`);
    const big = 'x'.repeat(100_000);
    const outcomes = await Promise.allSettled([
      store.write(note('small-1', '')),
      store.write(note('big', big)),
      store.write(note('small-2', '')),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(await keysOf(store)).toEqual(expect.arrayContaining(['small-1', 'small-2']));
    expect(await keysOf(store)).not.toContain('big');
    await pragma(store, `max_page_count = ${Number(pages) + 1_000}`);
    await store.write(note('big', big));
    expect(await keysOf(store)).toContain('big');
  });

  test('refuses the whole group when its commit fails, and commits none of it later', async () => {
    const store = await database.open();
    await store.write(async ({ db }) => {
      await db.run(sql`create table parents (id integer primary key)`);
      await db.run(sql`create table children (parent integer references parents (id) deferrable initially deferred)`);
    });
    // A deferred foreign key is checked at COMMIT: the only way to make a commit fail on purpose.
    const outcomes = await Promise.allSettled([
      store.write(note('before', '')),
      store.write(async ({ db }) => db.run(sql`insert into children values (1)`)),
      store.write(note('after', '')),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    await store.write(note('next', ''));
    const keys = await keysOf(store);
    expect(keys).toContain('next');
    expect(keys).not.toContain('before');
    expect(keys).not.toContain('after');
  });
});

describe('A migration of a SQLite file', () => {
  const create = 'create table parents (id integer primary key, name text)';
  const createChildren = 'create table children (id integer primary key, parent_id integer references parents (id) on delete cascade)';
  /**
   * Like a column change by drizzle-kit: a new table, the rows copied, the old one dropped, the new
   * one renamed.
   */
  const rebuild = [
    'PRAGMA foreign_keys=OFF',
    'create table __new_parents (id integer primary key, name text not null)',
    'insert into __new_parents select id, name from parents',
    'drop table parents',
    'alter table __new_parents rename to parents',
    'PRAGMA foreign_keys=ON',
  ];

  function migrateTwice(second: string[], fill: string[]): SqliteDatabase.Database {
    const folder = writeMigrations([[create, createChildren]]);
    const file = new SqliteDatabase(join(folder, 'migrated.db'));
    file.pragma('foreign_keys = ON');
    migrateFile(file, { folder });
    for (const statement of fill) file.exec(statement);
    migrateFile(file, { folder: writeMigrations([[create, createChildren], second]) });
    return file;
  }

  test('that rebuilds a table keeps the rows that refer to it', () => {
    const file = migrateTwice(rebuild, [`insert into parents values (1, 'one')`, 'insert into children values (10, 1), (11, 1)']);
    expect(file.prepare('select id from children order by id').pluck().all()).toEqual([10, 11]);
    expect(file.pragma('foreign_keys', { simple: true })).toBe(1);
    expect(() => file.exec('insert into children values (12, 99)')).toThrow(/FOREIGN KEY/);
    file.close();
  });

  test('that would leave rows without their parents is refused', () => {
    const loseParents = ['delete from parents'];
    expect(() => migrateTwice(loseParents, [`insert into parents values (1, 'one')`, 'insert into children values (10, 1)'])).toThrow(
      /leave 1 rows without/,
    );
  });
});
