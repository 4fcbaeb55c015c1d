/**
 * A store is its file, under any name: open in one gateway at a time, and never replaced unnoticed.
 */
import { linkSync, mkdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { openSqlite } from '../../../src/store/sqlite/store.ts';
import type { Store } from '../../../src/store/store.ts';
import { readinessOf } from '../../../src/telemetry/readiness.ts';
import { createFolder } from '../../support/folders.ts';

const opened: Store[] = [];
afterEach(async () => {
  for (const store of opened.splice(0)) await store.close();
});
async function open(file: string): Promise<Store> {
  const store = await openSqlite(file);
  opened.push(store);
  return store;
}
const note = (store: Store, key: string) => store.write(async ({ db, t }) => db.insert(t.meta).values({ key, value: 'kept' }));
const notesOf = async (store: Store) => (await store.read.db.select().from(store.tables.meta)).map(({ key }) => key);

test('a link to the file or its folder leads to the same store (P1)', async () => {
  const folder = createFolder('store');
  const file = join(folder, 'trainyard.sqlite');
  const store = await open(file);
  await note(store, 'first');
  const links = createFolder('links');
  symlinkSync(file, join(links, 'trainyard.sqlite'));
  symlinkSync(folder, join(links, 'data'));
  for (const name of ['trainyard.sqlite', 'data/trainyard.sqlite'])
    await expect(openSqlite(join(links, name))).rejects.toThrow(`Another gateway is using ${file}.`);
  await store.close();
  expect(await notesOf(await open(join(links, 'trainyard.sqlite')))).toContain('first');
  // By the file's own name too, while it is open by a link.
  await expect(openSqlite(file)).rejects.toThrow('Another gateway is using');
});

test('a file with a hard link and a dangling link are refused', async () => {
  const folder = createFolder('store');
  const file = join(folder, 'trainyard.sqlite');
  await (await openSqlite(file)).close();
  linkSync(file, join(folder, 'other.sqlite'));
  for (const name of ['trainyard.sqlite', 'other.sqlite']) await expect(openSqlite(join(folder, name))).rejects.toThrow(/hard link/);
  rmSync(join(folder, 'other.sqlite'));
  expect(await open(file)).toBeDefined();
  symlinkSync(join(folder, 'nowhere'), join(folder, 'dangling.sqlite'));
  await expect(openSqlite(join(folder, 'dangling.sqlite'))).rejects.toThrow(/link to a file that does not exist/);
});

test('a file that is moved while it is open is not ready and accepts no writes until it is back; nothing is lost (P1)', async () => {
  const folder = createFolder('store');
  const file = join(folder, 'trainyard.sqlite');
  const store = await open(file);
  await note(store, 'before');
  const ready = readinessOf(store);
  expect(await ready()).toEqual({ isReadable: true, isWritable: true });
  mkdirSync(join(folder, 'away'));
  const away = join(folder, 'away', 'trainyard.sqlite');
  renameSync(file, away);
  await expect(note(store, 'while away')).rejects.toThrow(/moved, removed or replaced/);
  expect(await ready()).toEqual({ isReadable: false, isWritable: false });
  renameSync(away, file);
  await note(store, 'after');
  expect(await ready()).toEqual({ isReadable: true, isWritable: true });
  await store.close();
  expect(await notesOf(await open(file))).toEqual(expect.arrayContaining(['before', 'after']));
});

test('no empty store is created where there was one before, unless its lock file is removed as well (P1)', async () => {
  const folder = createFolder('store');
  const file = join(folder, 'trainyard.sqlite');
  const store = await openSqlite(file);
  await note(store, 'kept');
  await store.close();
  renameSync(file, join(folder, 'away'));
  await expect(openSqlite(file)).rejects.toThrow(`${file} is gone, where there was a store before`);
  renameSync(join(folder, 'away'), file);
  const again = await openSqlite(file);
  expect(await notesOf(again)).toContain('kept');
  await again.close();
  rmSync(file);
  rmSync(`${file}.lock`);
  expect(await notesOf(await open(file))).not.toContain('kept');
});
