/** Queries that look at many rows, in a thread of their own: see src/store/sqlite/walker.ts. */
import { rename } from 'node:fs/promises';
import { setImmediate as turn } from 'node:timers/promises';
import { count, eq, sql } from 'drizzle-orm';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Queries, Store } from '../../src/store/store.ts';
import { StoreUnavailable } from '../../src/store/unavailable.ts';
import { createSqliteDatabase, type TestDatabase } from '../support/databases.ts';

let database: TestDatabase & { readonly file: string };
let store: Store;

beforeEach(async () => {
  database = await createSqliteDatabase();
  store = await database.open();
});
afterEach(async () => {
  await store.close();
  await database.remove();
});

function walks(): Queries {
  const { walks: found } = store.read;
  if (!found) throw new Error('A SQLite store has a thread for walks.');
  return found;
}
const countMeta = async () => {
  const { db, t } = walks();
  const [row] = await db.select({ count: count() }).from(t.meta);
  return row?.count;
};
const addMeta = (key: string) => store.write((tx) => tx.db.insert(tx.t.meta).values({ key, value: '' }));

test('A walk sees what was committed before it began', async () => {
  const before = (await countMeta()) ?? 0;
  for (let i = 1; i <= 20; i++) {
    await addMeta(`key ${i}`);
    expect(await countMeta()).toBe(before + i);
  }
});

test('The event loop turns while a walk runs', async () => {
  const { db } = walks();
  await countMeta();
  let turns = 0;
  const noteTurn = () => {
    turns += 1;
    turning = setImmediate(noteTurn);
  };
  let turning = setImmediate(noteTurn);
  const numbers = sql`with recursive n(i) as (select 1 union all select i + 1 from n where i < 300000) select count(*) from n`;
  const [row] = await db
    .select({ count: sql<number>`(${numbers})` })
    .from(store.tables.meta)
    .limit(1);
  clearImmediate(turning);
  expect(row?.count).toBe(300_000);
  expect(turns).toBeGreaterThan(1);
});

test('A walk can change nothing', async () => {
  const { db, t } = walks();
  await expect(db.update(t.meta).set({ value: 'other' }).returning()).rejects.toMatchObject({ cause: { code: 'SQLITE_READONLY' } });
  expect(await store.read.db.select().from(t.meta).where(eq(t.meta.value, 'other'))).toEqual([]);
});

test('After a walk that fails, the next one works', async () => {
  const { db, t } = walks();
  await expect(db.select({ bad: sql`no_such_function()` }).from(t.meta)).rejects.toMatchObject({ cause: { code: 'SQLITE_ERROR' } });
  expect(await countMeta()).toBeGreaterThan(0);
});

test('Walks that run when the store is closed are answered, and later ones are refused', async () => {
  const before = await countMeta();
  const running = Promise.all([countMeta(), countMeta()]);
  await turn();
  await store.close();
  expect(await running).toEqual([before, before]);
  await expect(countMeta()).rejects.toMatchObject({ cause: { message: 'The store is closed.' } });
});

test('The first walk after the file was moved away is refused, since the thread would open another file', async () => {
  const elsewhere = `${database.file}-elsewhere`;
  await rename(database.file, elsewhere);
  const refused = await countMeta().catch((error: unknown) => error);
  expect(refused).toMatchObject({ cause: expect.any(StoreUnavailable) });
  await rename(elsewhere, database.file);
  expect(await countMeta()).toBeGreaterThan(0);
});
