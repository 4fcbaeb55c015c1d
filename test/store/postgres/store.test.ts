/**
 * Behaviour of PostgreSQL only: many gateways on one database, broken connections, transactions
 * that have to run again.
 */
import { eq, sql } from 'drizzle-orm';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { readIdempotencyKey } from '../../../src/store/changes/idempotency.ts';
import { openPostgres } from '../../../src/store/postgres/store.ts';
import { type Store, StoreUnusable, type Topic, type Tx } from '../../../src/store/store.ts';
import { unavailabilityOf } from '../../../src/store/unavailable.ts';
import { createPostgresDatabase, querySql, type TestDatabase } from '../../support/databases.ts';
import { openProxy } from '../../support/proxy.ts';

const note =
  (key: string, value = '') =>
  (tx: Tx) =>
    Promise.resolve(tx.db.insert(tx.t.meta).values({ key, value }));
const readNote = async (store: Store, key: string) =>
  (await store.read.db.select().from(store.tables.meta).where(eq(store.tables.meta.key, key)))[0]?.value;
const execute = (tx: Tx, text: string) =>
  // Cast: the common type of the builders has no `execute`, PostgreSQL's has.
  (tx.db as unknown as { execute(query: unknown): Promise<{ rows: Record<string, unknown>[] }> }).execute(sql.raw(text));

describe('A PostgreSQL store', () => {
  let database: TestDatabase;
  let url: string;
  beforeEach(async () => {
    database = await createPostgresDatabase();
    url = database.url ?? '';
  });
  afterEach(() => database.remove());

  /** Resolves with the first set of topics that contains this one. */
  const hear = (store: Store, topic: Topic) =>
    new Promise<ReadonlySet<Topic>>((resolve) => {
      const end = store.onCommit((topics) => {
        if (!topics.has(topic) && !topics.has('*')) return;
        end();
        resolve(topics);
      });
    });
  /** Ends every connection to the database except its own. */
  const cutConnections = (like = '%') =>
    querySql(
      url,
      'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and application_name like $1',
      [like],
    );

  test('waits for the disk at every commit, even if the database is configured not to (P1)', async () => {
    await querySql(url, `alter database ${new URL(url).pathname.slice(1)} set synchronous_commit = off`);
    const store = await database.open();
    const { rows } = await store.write((tx) => execute(tx, 'show synchronous_commit'));
    expect(rows).toEqual([{ synchronous_commit: 'on' }]);
  });

  test('opens for two gateways that start at once on a new database, with one identity', async () => {
    const [first, second] = await Promise.all([database.open(), database.open()]);
    expect(second.identity).toBe(first.identity);
    expect(second.secret).toEqual(first.secret);
  });

  test('sends topics to the other gateways of its database, but none of undone writes', async () => {
    const [first, second] = await Promise.all([database.open(), database.open()]);
    const heard: Topic[] = [];
    second.onCommit((topics) => heard.push(...topics));
    const last = hear(second, 'job:last');
    await expect(
      first.write(async (tx) => {
        tx.touch('job:undone');
        throw new Error('no');
      }),
    ).rejects.toThrow('no');
    await first.write(async (tx) => {
      await note('seen')(tx);
      tx.touch('job:one');
    });
    await first.write(async (tx) => tx.touch('job:last'));
    await last;
    expect(heard).toEqual(['job:one', 'job:last']);
    expect(await readNote(second, 'seen')).toBe('');
  });

  test('wakes all listeners for more topics than a notification can hold', async () => {
    const [first, second] = await Promise.all([database.open(), database.open()]);
    const woken = hear(second, '*');
    await first.write(async (tx) => {
      for (let i = 0; i < 1_000; i++) tx.touch(`job:job_${i}:log`);
    });
    expect(await woken).toEqual(new Set(['*']));
  });

  test('wakes all listeners when its connection for topics is back', async () => {
    const store = await database.open();
    const woken = hear(store, '*');
    await cutConnections('trainyard wire');
    expect(await woken).toEqual(new Set(['*']));
    const other = await database.open();
    const heard = hear(store, 'job:again');
    await other.write(async (tx) => tx.touch('job:again'));
    await heard;
  });

  test('tries the lost connection for topics again at growing intervals, one attempt at a time', async () => {
    const proxy = await openProxy(Number(new URL(url).port));
    const through = new URL(url);
    through.port = String(proxy.port);
    const store = await openPostgres(through.href);
    try {
      const woken = hear(store, '*');
      const attempts = proxy.refuse('trainyard wire', 4);
      const before = performance.now();
      await attempts;
      // 100 + 200 + 400 + 800 ms. Two retries side by side would take less than half of it.
      expect(performance.now() - before).toBeGreaterThan(1_400);
      proxy.accept();
      await woken;
    } finally {
      await store.close();
      proxy.close();
    }
  });

  test('limits how long its transactions may be idle, and keeps the options of its URL', async () => {
    const options = encodeURIComponent('-c work_mem=1MB -c synchronous_commit=off');
    const store = await openPostgres(`${url}?options=${options}`);
    try {
      const show = async (setting: string) => Object.values((await store.write((tx) => execute(tx, `show ${setting}`))).rows[0] ?? {})[0];
      expect(await show('work_mem')).toBe('1MB');
      expect(await show('synchronous_commit')).toBe('on');
      expect(await show('idle_in_transaction_session_timeout')).toBe('5s');
      expect(await show('tcp_user_timeout')).toBe('20000');
      expect(await show('tcp_keepalives_idle')).toBe('10');
    } finally {
      await store.close();
    }
  });

  test('opens no more connections than it is told to', async () => {
    const store = await openPostgres(url, { connections: 2 });
    try {
      const pids = await Promise.all(
        Array.from({ length: 10 }, () => store.write(async (tx) => (await execute(tx, 'select pg_backend_pid() as pid')).rows[0]?.pid)),
      );
      expect(new Set(pids).size).toBeLessThanOrEqual(2);
    } finally {
      await store.close();
    }
  });

  test('reopens its connection for topics as soon as any other connection opens', async () => {
    const proxy = await openProxy(Number(new URL(url).port));
    const through = new URL(url);
    through.port = String(proxy.port);
    const store = await openPostgres(through.href);
    try {
      const woken = hear(store, '*');
      // Otherwise the next attempt would be a second later.
      await proxy.refuse('trainyard wire', 5);
      proxy.accept();
      const before = performance.now();
      await store.write(note('again'));
      await woken;
      expect(performance.now() - before).toBeLessThan(700);
    } finally {
      await store.close();
      proxy.close();
    }
  });

  describe('whose connections no longer answer', () => {
    let proxy: Awaited<ReturnType<typeof openProxy>>;
    let store: Store;
    beforeEach(async () => {
      proxy = await openProxy(Number(new URL(url).port));
      const through = new URL(url);
      through.port = String(proxy.port);
      store = await openPostgres(through.href, { answerWithinMs: 1_000 });
    });
    afterEach(async () => {
      await store.close();
      proxy.close();
    });
    /**
     * Idle connections do not answer either. Each is noticed when it is used, and not used again.
     */
    const eventually = <T>(ask: () => Promise<T>) => vi.waitFor(ask, { timeout: 20_000 });
    const failureOf = (asked: Promise<unknown>) => asked.catch((error: unknown) => unavailabilityOf(error));
    const read = () => store.read.run(readIdempotencyKey, { scope: 'a', operation: 'b', key: 'c' });

    test('refuses a read in time, and reads on another connection', async () => {
      const swallowed = proxy.swallow('"idempotency_keys"');
      expect(await failureOf(read())).toMatchObject({ obstacle: 'AWAY', isOpen: false });
      await swallowed;
      proxy.accept();
      expect(await eventually(read)).toEqual([]);
    });

    test('refuses a write in time, and nothing of it is done', async () => {
      const swallowed = proxy.swallow('insert into "meta"');
      expect(await failureOf(store.write(note('lost')))).toMatchObject({ obstacle: 'AWAY', isOpen: false });
      await swallowed;
      proxy.accept();
      await eventually(() => store.write(note('next')));
      expect(await readNote(store, 'lost')).toBeUndefined();
      expect(await readNote(store, 'next')).toBe('');
    });

    test('reports an unknown outcome for a write whose commit is not answered (P1)', async () => {
      const writing = store.write(async (tx) => {
        await note('open')(tx);
        void proxy.swallow('COMMIT');
      });
      const failure = await failureOf(writing);
      expect(failure).toMatchObject({ obstacle: 'AWAY', isOpen: true });
      expect(String(failure)).toContain('Whether this was done is not known');
      proxy.accept();
      expect(await eventually(() => readNote(store, 'open'))).toBe('');
    });
  });

  test('commits both of two writes that lock rows in opposite order', async () => {
    const store = await database.open();
    await store.write(note('a'));
    await store.write(note('b'));
    const meeting = Promise.withResolvers<void>();
    let arrived = 0;
    const append = (first: string, second: string) =>
      store.write(async ({ db, t }) => {
        const add = (key: string) =>
          db
            .update(t.meta)
            .set({ value: sql`${t.meta.value} || ${first}` })
            .where(eq(t.meta.key, key));
        await add(first);
        if (++arrived === 2) meeting.resolve();
        await meeting.promise;
        await add(second);
      });
    await Promise.all([append('a', 'b'), append('b', 'a')]);
    expect([...((await readNote(store, 'a')) ?? '')].sort()).toEqual(['a', 'b']);
    expect([...((await readNote(store, 'b')) ?? '')].sort()).toEqual(['a', 'b']);
  });

  test('can skip rows that another transaction has locked, or wait for them', async () => {
    const store = await database.open();
    await store.write(note('one'));
    await store.write(note('two'));
    const take = (tx: Tx, mode: 'wait' | 'skip') =>
      tx.dialect
        .lock(tx.db.select().from(tx.t.meta).where(sql`${tx.t.meta.key} in ('one', 'two')`).orderBy(tx.t.meta.key).limit(1), mode)
        .then((rows) => rows[0]?.key);
    const taken = Promise.withResolvers<void>();
    const letGo = Promise.withResolvers<void>();
    const holder = store.write(async (tx) => {
      const key = await take(tx, 'skip');
      taken.resolve();
      await letGo.promise;
      return key;
    });
    await taken.promise;
    expect(await store.write((tx) => take(tx, 'skip'))).toBe('two');
    let hasWaited = false;
    const waiter = store.write((tx) => take(tx, 'wait')).then((key) => ({ key, hasWaited }));
    hasWaited = true;
    letGo.resolve();
    expect(await holder).toBe('one');
    expect(await waiter).toEqual({ key: 'one', hasWaited: true });
  });

  test('refuses a database that a newer version has migrated', async () => {
    await (await database.open()).close();
    await querySql(url, `insert into drizzle.__drizzle_migrations (hash, created_at) values ('of the future', $1)`, [Date.now() + 1e12]);
    await expect(openPostgres(url)).rejects.toThrow(StoreUnusable);
    await expect(openPostgres(url)).rejects.toThrow(/newer version/);
  });

  test('explains in one line that there is no server, no database, or a wrong password', async () => {
    const nowhere = new URL(url);
    nowhere.port = '1';
    const missing = new URL(url);
    missing.pathname = '/no_such_database';
    const stranger = new URL(url);
    stranger.password = 'wrong';
    for (const [address, why] of [
      [nowhere, /ECONNREFUSED/],
      [missing, /"no_such_database" does not exist/],
      [stranger, /password authentication failed/],
    ] as const) {
      const failure = await openPostgres(address.href).catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(StoreUnusable);
      expect(String(failure)).toMatch(why);
      expect(String(failure)).not.toMatch(/\n|for-tests-alone/);
    }
  });
});
