/** Restores that cannot end well: they report their outcome, and leave what others hold. */
import SqliteDatabase from 'better-sqlite3';
import { describe, expect, test } from 'vitest';
import { readTable } from '../../src/backup/table-files.ts';
import { migrationsOf } from '../../src/store/migrations.ts';
import { restorePostgres } from '../../src/store/postgres/restore.ts';
import { restoreSqlite } from '../../src/store/sqlite/restore.ts';
import { openSqlite } from '../../src/store/sqlite/store.ts';
import { createPostgresDatabase, createSqliteDatabase } from '../support/databases.ts';
import { createFolder } from '../support/folders.ts';
import { openProxy } from '../support/proxy.ts';

describe('A restore', () => {
  test('that loses PostgreSQL while it commits says that its outcome is unknown, and is refused once it is committed (P1)', async () => {
    const database = await createPostgresDatabase();
    const url = new URL(database.url ?? '');
    const proxy = await openProxy(Number(url.port));
    try {
      const through = new URL(url);
      through.port = String(proxy.port);
      const migrations = migrationsOf('postgres').known;
      const target = await restorePostgres(through.href, migrations);
      const finishing = target.finish({ identity: 'another', endsLeases: false }).catch(String);
      // The proxy forwards the commit and swallows the answer.
      await proxy.swallow('COMMIT');
      const isThere = () => restorePostgres(url.href, migrations).then((other) => other.abandon(), String);
      // Waits for the lock of the first restore.
      expect(await isThere()).toContain('There is a store in this database already');
      proxy.cut();
      expect(await finishing).toContain('whether the backup is restored is not known');
      await target.abandon();
    } finally {
      proxy.close();
      await database.remove();
    }
  });

  test('that is given up leaves the lock to a gateway that has opened the store meanwhile', async () => {
    const database = await createSqliteDatabase();
    const target = await restoreSqlite(database.file, migrationsOf('sqlite').known);
    const waiting = new SqliteDatabase(`${database.file}.lock`, { timeout: 0 });
    try {
      waiting.pragma('schema_version');
    } catch {
      // It is locked: but opened.
    }
    await target.abandon();
    waiting.exec('BEGIN EXCLUSIVE');
    await expect(openSqlite(database.file)).rejects.toThrow('Another gateway');
    waiting.close();
    await (await database.open()).close();
    await database.remove();
  });

  test('whose file can no longer be read fails, and so does its reader', async () => {
    const entry = { name: 'jobs', columns: [], rows: 1, sizeBytes: 1, sha256: '' };
    const rows = readTable(createFolder('gone'), entry);
    await expect(rows.next()).rejects.toThrow('ENOENT');
  });
});
