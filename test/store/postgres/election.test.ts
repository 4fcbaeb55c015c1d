/** One gateway of a PostgreSQL is elected for the work that one does for all. */
import pg from 'pg';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { openPostgres } from '../../../src/store/postgres/store.ts';
import type { Store } from '../../../src/store/store.ts';
import { createPostgresDatabase, querySql, type TestDatabase } from '../../support/databases.ts';
import { openProxy } from '../../support/proxy.ts';

/** Several times what it takes to elect another. */
const TIMEOUT = { timeout: 20_000 };

let database: TestDatabase;
let url: string;
beforeEach(async () => {
  database = await createPostgresDatabase('migrated');
  url = database.url ?? '';
});
afterEach(() => database.remove());

const isElected = (store: Store) => vi.waitFor(() => expect(store.isElected).toBe(true), TIMEOUT);

test('of the gateways that are open, the first is elected, and another when it is closed', async () => {
  const first = await database.open();
  const second = await database.open();
  expect([first.isElected, second.isElected]).toEqual([true, false]);
  await first.close();
  await isElected(second);
});

test('a gateway whose connection ends is no longer elected, and the next that asks is', async () => {
  const stores = [await database.open(), await database.open()];
  for (let i = 0; i < 2; i++) {
    await querySql(url, `select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and objid = 7203414 and granted`);
    await vi.waitFor(() => expect(stores.filter(({ isElected }) => isElected)).toHaveLength(1), TIMEOUT);
  }
});

test('a gateway that is cut off without a word is replaced', async () => {
  const proxy = await openProxy(Number(new URL(url).port));
  const through = new URL(url);
  through.port = String(proxy.port);
  const first = await openPostgres(through.href, { answerWithinMs: 1_000 });
  try {
    expect(first.isElected).toBe(true);
    const second = await database.open();
    // Its next sign of life does not arrive.
    await proxy.swallow('Sequencer');
    await isElected(second);
  } finally {
    await first.close();
    proxy.close();
  }
});

test('a gateway that is alone sends no hints, and sends them from the moment another has come', async () => {
  const query = vi.spyOn(pg.Client.prototype, 'query');
  const sent = () => query.mock.calls.filter(([text]) => String(text).includes('pg_notify')).length;
  const first = await database.open();
  await first.write(async (tx) => tx.touch('job:one'));
  expect(sent()).toBe(0);
  const second = await database.open();
  const heard = new Promise((resolve) => second.onCommit(resolve));
  await first.write(async (tx) => tx.touch('job:two'));
  expect(await heard).toEqual(new Set(['job:two']));
});
