/**
 * A store that is restored to an earlier state of itself: a failover, a recovery to an earlier
 * moment, a copy of the database (P7, P8).
 */
import { copyFileSync } from 'node:fs';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { appendLog } from '../../../src/domain/claims/progress.ts';
import { decodeCursor, encodeCursor, feed, type StreamName } from '../../../src/domain/core/cursors.ts';
import { createDomain, type Domain } from '../../../src/domain/core/domain.ts';
import { openPostgres } from '../../../src/store/postgres/store.ts';
import { openSqlite } from '../../../src/store/sqlite/store.ts';
import type { Store } from '../../../src/store/store.ts';
import { unavailabilityOf } from '../../../src/store/unavailable.ts';
import { createPostgresDatabase, createSqliteDatabase, querySql, type TestDatabase } from '../../support/databases.ts';
import { startGateway } from '../../support/gateway.ts';
import { refusalOf } from '../../support/ground.ts';
import { admin, plantSeed } from '../../support/seed.ts';
import { createJob, readFeed } from '../feed-of.ts';

const nameOf = (url: string) => new URL(url).pathname.slice(1);
const beside = (url: string) => Object.assign(new URL(url), { pathname: '/postgres' }).href;

/** A copy of the database in its current state, which nobody has open. */
async function putAside({ file, url }: TestDatabase): Promise<void> {
  if (url) await querySql(beside(url), `create database ${nameOf(url)}_older template ${nameOf(url)}`);
  else copyFileSync(file, `${file}.older`);
}
/** Puts the copy in place of the database, even if that is open. */
async function putBack({ file, url }: TestDatabase): Promise<void> {
  if (!url) return copyFileSync(`${file}.older`, file);
  await querySql(beside(url), `drop database ${nameOf(url)} with (force)`);
  await querySql(beside(url), `alter database ${nameOf(url)}_older rename to ${nameOf(url)}`);
}

const ending: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end();
});
async function createDatabase(create: () => Promise<TestDatabase>): Promise<TestDatabase> {
  const database = await create();
  ending.push(() => database.remove());
  return database;
}
async function open({ file, url }: TestDatabase, isRenewed = false): Promise<Store> {
  const store = await (url ? openPostgres(url, { isRenewed }) : openSqlite(file, { isRenewed }));
  const close = store.close.bind(store);
  let closing: Promise<void> | undefined;
  store.close = () => {
    closing ??= close();
    return closing;
  };
  ending.push(() => store.close());
  return store;
}

const databases = [
  { dialect: 'sqlite', create: createSqliteDatabase },
  { dialect: 'postgres', create: createPostgresDatabase },
] as const;

describe.each(databases)('A store that is restored to an earlier moment ($dialect)', ({ dialect, create }) => {
  const isTold = dialect === 'postgres';

  test('continues after cursors of entries that it has, and refuses later cursors for good, even when it is as long again (P7, P8)', async () => {
    const database = await createDatabase(create);
    const first = await open(database);
    const seed = await plantSeed(first);
    const { job } = await seed.createJob();
    const { lease } = await seed.claim(job);
    const log: StreamName = { kind: 'log', jobId: job.id };
    let written = 0;
    const write = async (domain: Domain, count: number) => {
      for (let i = 0; i < count; i++, written += 4)
        await appendLog(domain, admin, { leaseToken: lease.token, chunks: [{ offset: written, text: 'row\n', stream: 'STDOUT' }] });
    };
    /** The number of the newest event with a position in the feed. */
    const lastPlaced = async ({ store: { read } }: Domain) => {
      const positions = (await read.db.select().from(read.t.events)).map(({ position }) => position);
      return Math.min(...positions) < 0 ? null : Math.max(...positions);
    };
    const placed = async (domain: Domain) => {
      await vi.waitFor(async () => expect(await lastPlaced(domain)).not.toBeNull(), { timeout: 10_000 });
      return (await lastPlaced(domain)) ?? 0;
    };
    const read = (domain: Domain, cursor: string, stream: StreamName) => decodeCursor(domain, cursor, stream);
    const domainOf = (store: Store) => createDomain({ ...seed.domain, store });

    await write(seed.domain, 2);
    const known = encodeCursor(seed.domain, { ...log, seq: 2 });
    const knownOfFeed = encodeCursor(seed.domain, { ...feed, seq: await placed(seed.domain) });
    await first.close();
    await putAside(database);

    // It continues, and a client reads that.
    const second = await open(database);
    expect(second.identity).toBe(first.identity);
    const later = domainOf(second);
    await write(later, 3);
    const job2 = await plantSeed(second, { seed: 2 }).then((other) => other.createJob());
    const lost = encodeCursor(later, { ...log, seq: 4 });
    const lostOfFeed = encodeCursor(later, { ...feed, seq: await placed(later) });
    await second.close();
    await putBack(database);

    const third = await open(database, !isTold);
    expect(third.identity).not.toBe(first.identity);
    expect(third.parent).toBe(first.identity);
    const domain = domainOf(third);
    const refused = async () => {
      for (const [cursor, stream] of [
        [lost, log],
        [lostOfFeed, feed],
        [encodeCursor(later, { kind: 'log', jobId: job2.job.id, seq: 0 }), log],
      ] as const)
        expect(await refusalOf(read(domain, cursor, stream))).toMatchObject({ code: 'BAD_REQUEST' });
    };
    await refused();
    written = 8;
    await write(domain, 6);
    await plantSeed(third, { seed: 3 }).then((other) => Promise.all([other.createJob(), other.createJob(), other.createJob()]));
    expect(await placed(domain)).toBeGreaterThan(await read(domain, knownOfFeed, feed));
    await refused();
    expect(await read(domain, known, log)).toBe(2);
    expect(await read(domain, encodeCursor(domain, { ...log, seq: 7 }), log)).toBe(7);
    await third.close();

    // It gets a new identity once, not with each start.
    const fourth = await open(database);
    expect([fourth.identity, fourth.parent]).toEqual([third.identity, first.identity]);
    expect(await read(domainOf(fourth), known, log)).toBe(2);
    expect(await refusalOf(read(domainOf(fourth), lost, log))).toMatchObject({ code: 'BAD_REQUEST' });
  });
});

describe('A store in PostgreSQL', () => {
  const replaceTimeline = (url: string) =>
    querySql(url, `update meta set value = regexp_replace(value, '/.*/', '/00000000/') where key = 'origin'`);

  test('knows its cluster, timeline and database, and gets a new identity once when one of them changes (P8)', async () => {
    const database = await createDatabase(createPostgresDatabase);
    const url = database.url ?? '';
    const first = await open(database);
    const [origin] = await querySql(url, `select value from meta where key = 'origin'`);
    expect(origin?.value).toMatch(/^\d+\/[0-9A-F]{8}\/\d+$/);
    await first.close();
    await replaceTimeline(url);
    // Two gateways that start at once agree.
    const [second, third] = await Promise.all([open(database), open(database)]);
    expect(second.identity).not.toBe(first.identity);
    expect([second.parent, third.identity, third.parent]).toEqual([first.identity, second.identity, first.identity]);
    expect(second.secret).toEqual(first.secret);
    expect(await querySql(url, `select value from meta where key = 'origin'`)).toEqual([origin]);
  });

  test('from a version without timelines keeps its identity (P8)', async () => {
    const database = await createDatabase(createPostgresDatabase);
    const url = database.url ?? '';
    const first = await open(database);
    await first.close();
    await querySql(url, `delete from meta where key = 'origin'`);
    expect((await open(database)).identity).toBe(first.identity);
    expect(await querySql(url, `select value from meta where key = 'origin'`)).toHaveLength(1);
  });

  test('refuses a new identity by hand while another gateway would keep the old one (P8)', async () => {
    const database = await createDatabase(createPostgresDatabase);
    const first = await open(database);
    await expect(open(database, true)).rejects.toThrow('Other gateways use this database');
    await first.close();
    const second = await open(database, true);
    expect(second.parent).toBe(first.identity);
  });

  test('can be identified by a user without special rights; if that is not allowed, it opens all the same and says so (P8)', async () => {
    const database = await createDatabase(createPostgresDatabase);
    const url = database.url ?? '';
    const plain = Object.assign(new URL(url), { username: `plain_${nameOf(url)}`, password: 'plain' });
    await querySql(url, `create role ${plain.username} login password 'plain'`);
    ending.unshift(() => querySql(beside(url), `drop role ${plain.username}`));
    await querySql(url, `alter database ${nameOf(url)} owner to ${plain.username}`);
    const origins = () => querySql(url, `select value from meta where key = 'origin'`);
    const first = await open({ ...database, url: plain.href });
    expect(await origins()).toHaveLength(1);
    expect(first.description).not.toContain('timeline');
    await first.close();
    await querySql(url, 'revoke execute on function pg_control_system() from public');
    const second = await open({ ...database, url: plain.href });
    expect(second.description).toMatch(/, whose timeline cannot be read$/);
    expect(second.identity).toBe(first.identity);
    expect(await second.read.db.select().from(second.tables.meta)).not.toEqual([]);
    await second.close();
    expect((await open({ ...database, url: plain.href }, true)).parent).toBe(first.identity);
  });

  test('is neither read nor written over a new connection that leads to another store (P8)', async () => {
    const database = await createDatabase(createPostgresDatabase);
    const url = database.url ?? '';
    const store = await open(database);
    const cut = () =>
      querySql(
        url,
        'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
      );
    const note = () => store.write(async ({ db, t }) => db.insert(t.meta).values({ key: 'note', value: '' }));
    // Like a store that fell back to a time before its newest identity.
    await querySql(url, `update meta set value = 'older' where key = 'identity'`);
    await cut();
    for (const asked of [() => note(), () => store.read.db.select().from(store.tables.meta)]) {
      const failure = await Promise.resolve(asked()).catch((error: unknown) => error);
      expect(unavailabilityOf(failure)).toMatchObject({ obstacle: 'REPLACED', isOpen: false });
    }
    await store.replaced;
    expect(store.isInPlace()).toBe(false);
    expect(await querySql(url, `select 1 from meta where key = 'note'`)).toEqual([]);
  });
});

describe.each(databases)('A gateway whose database is restored to an earlier moment ($dialect)', ({ dialect, create }) => {
  test('refuses later cursors when it is started again, and delivers the rest completely (P7, P8)', { timeout: 180_000 }, async () => {
    const database = await createDatabase(create);
    const start = async (flags: readonly string[] = []) => {
      const gateway = await startGateway({ database, flags });
      ending.push(() => gateway.stop());
      return gateway;
    };
    const first = await start();
    const known = await createJob(first, null);
    expect((await first.kill('SIGTERM')).code).toBe(0);
    await putAside(database);
    const second = await start();
    const lost = await createJob(second, known);
    if (dialect === 'postgres') {
      await putBack(database);
      // It notices by itself, and ends, so that a process manager starts it again.
      expect(await second.ended()).toEqual({ code: 1, signal: null });
      expect(second.output()).toContain('PostgreSQL failed over or was restored');
    } else {
      await second.kill('SIGTERM');
      await putBack(database);
    }
    const third = await start(dialect === 'postgres' ? [] : ['--new-identity']);
    expect((await readFeed(third, lost)).code).toBe('BAD_REQUEST');
    const newest = await createJob(third, known).then((cursor) => createJob(third, cursor));
    expect((await readFeed(third, lost)).code).toBe('BAD_REQUEST');
    expect((await readFeed(third, known)).data.events).toMatchObject({ endCursor: newest, missed: 0 });
  });
});
