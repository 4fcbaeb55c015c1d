/** Writes and reads of PostgreSQL that lose their connection. */
import { eq, sql } from 'drizzle-orm';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { openPostgres } from '../../../src/store/postgres/store.ts';
import type { Store, Tx } from '../../../src/store/store.ts';
import { unavailabilityOf } from '../../../src/store/unavailable.ts';
import { createPostgresDatabase, querySql, type TestDatabase } from '../../support/databases.ts';
import { type Proxy as Between, openProxy } from '../../support/proxy.ts';

const note =
  (key: string, value = '') =>
  (tx: Tx) =>
    Promise.resolve(tx.db.insert(tx.t.meta).values({ key, value }));
const readNote = async (store: Store, key: string) =>
  (await store.read.db.select().from(store.tables.meta).where(eq(store.tables.meta.key, key)))[0]?.value;
const execute = (tx: Tx, text: string) =>
  // Cast: the common type of the builders has no `execute`, PostgreSQL's has.
  (tx.db as unknown as { execute(query: unknown): Promise<{ rows: Record<string, unknown>[] }> }).execute(sql.raw(text));

describe('A connection that is lost', () => {
  let database: TestDatabase;
  let url: string;
  beforeEach(async () => {
    database = await createPostgresDatabase();
    url = database.url ?? '';
  });
  afterEach(() => database.remove());

  /** Ends every connection to the database except its own. */
  const cutConnections = (like = '%') =>
    querySql(
      url,
      'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and application_name like $1',
      [like],
    );

  test('a write whose connections break again and again is refused, and no other is', async () => {
    const store = await database.open();
    const writing = store.write(async (tx) => {
      await note('half')(tx);
      await cutConnections();
      await note('other half')(tx);
    });
    expect(unavailabilityOf(await writing.catch((error: unknown) => error))).toMatchObject({ obstacle: 'AWAY', isOpen: false });
    await store.write(note('next'));
    expect(await readNote(store, 'half')).toBeUndefined();
    expect(await readNote(store, 'next')).toBe('');
  });

  const pidOf = async (tx: Tx) => (await execute(tx, 'select pg_backend_pid() as pid')).rows[0]?.pid;
  const isGone = (pid: unknown) =>
    vi.waitFor(async () => expect(await querySql(url, 'select 1 from pg_stat_activity where pid = $1', [pid])).toEqual([]));
  const losses = {
    'is told to end': async (tx: Tx) => void (await querySql(url, 'select pg_terminate_backend($1)', [await pidOf(tx)])),
    'has ended when it is asked again': async (tx: Tx) => {
      const pid = await pidOf(tx);
      await querySql(url, 'select pg_terminate_backend($1)', [pid]);
      await isGone(pid);
    },
    'stood still in its transaction for too long': async (tx: Tx) => {
      const pid = await pidOf(tx);
      await execute(tx, 'set idle_in_transaction_session_timeout = 1');
      await isGone(pid);
    },
    'is cut by the network': async (_tx: Tx, proxy: Between) => proxy.cut(),
  };
  describe.each(Object.entries(losses))('a write whose connection %s', (_how, lose) => {
    test.each([
      ['before its last statement', true],
      ['before its commit', false],
    ])('%s is done again on another one, and once (P1)', async (_when, goesOn) => {
      const proxy = await openProxy(Number(new URL(url).port));
      const through = new URL(url);
      through.port = String(proxy.port);
      const connects = vi.spyOn(pg.Client.prototype, 'connect');
      const store = await openPostgres(through.href);
      try {
        let runs = 0;
        await store.write(async (tx) => {
          await note('first')(tx);
          if (++runs === 1) {
            const pid = await pidOf(tx);
            // Cast: `connect` is called on clients, which have the id of their server's process.
            const clients = connects.mock.contexts as (pg.Client & { readonly processID: number })[];
            const client = clients.find(({ processID }) => processID === pid);
            const noticed = new Promise((resolve) => client?.once('end', () => resolve(true)));
            await lose(tx, proxy);
            // The driver notices the loss while the connection is idle.
            if (!goesOn) await noticed;
          }
          if (goesOn) await note('last')(tx);
        });
        expect(runs).toBe(2);
        expect(await readNote(store, 'first')).toBe('');
        expect(await readNote(store, 'last')).toBe(goesOn ? '' : undefined);
      } finally {
        await store.close();
        proxy.close();
      }
    });
  });

  test('a write that ignores a failed statement does not count as done (P1)', async () => {
    const store = await database.open();
    const writing = store.write(async (tx) => {
      await note('half')(tx);
      await execute(tx, 'select 1 / 0').catch(() => {});
    });
    await expect(writing).rejects.toThrow('rolled back');
    expect(await readNote(store, 'half')).toBeUndefined();
  });

  test('a read whose connection was lost runs again on another one', async () => {
    const store = await database.open();
    await store.write(note('kept'));
    for (let i = 0; i < 5; i++) {
      const cutting = cutConnections();
      expect(await readNote(store, 'kept')).toBe('');
      await cutting;
    }
  });
});
