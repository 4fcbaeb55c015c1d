/** A backup restores what it was taken of, into either database (P1, P7, P8). */
import { copyFileSync, existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { eq } from 'drizzle-orm';
import { expect, test } from 'vitest';
import { completeStep } from '../../src/domain/claims/outcomes.ts';
import { appendLog } from '../../src/domain/claims/progress.ts';
import { encodeCursor, feed } from '../../src/domain/core/cursors.ts';
import { createDomain } from '../../src/domain/core/domain.ts';
import { deleteFragment, readText } from '../../src/domain/files/fragments.ts';
import { forgiveOutage, sweep } from '../../src/domain/sweep/timekeeping.ts';
import { feedStream, jobStream } from '../../src/realtime/streams.ts';
import { Wakeups } from '../../src/realtime/wakeups.ts';
import { DiskFiles } from '../../src/store/files/disk.ts';
import type { Store } from '../../src/store/store.ts';
import { createPostgresDatabase, createSqliteDatabase, describeOnEachStore, type TestDatabase } from '../support/databases.ts';
import { createFolder } from '../support/folders.ts';
import { refusalOf } from '../support/ground.ts';
import { admin } from '../support/seed.ts';
import { cutOff, plant, readStore, restore, take } from './kit.ts';

describeOnEachStore('A backup', (_open, create, dialect) => {
  const otherDatabase = () => (dialect === 'sqlite' ? createPostgresDatabase() : createSqliteDatabase());
  const placed = async (store: Store) => {
    const { db, t } = store.read;
    for (let isPlaced = false; !isPlaced; ) {
      isPlaced = (await db.select().from(t.events)).every(({ position }) => position > 0);
      await new Promise(setImmediate);
    }
  };
  const domainOf = (store: Store, { folder }: TestDatabase, like: Awaited<ReturnType<typeof plant>>) =>
    createDomain({ store, files: new DiskFiles(join(folder, 'fragments')), clock: like.seed.clock });

  test('that moves from one database to the other and back keeps all rows and files (P1)', async () => {
    const [source, back] = [await create(), await create()];
    const other = await otherDatabase();
    try {
      const planted = await plant(source);
      await placed(planted.store);
      const first = await take(source);
      await restore(first.folder, other);
      const second = await take(other);
      await restore(second.folder, back);
      const before = await readStore(planted.store);
      expect(await readStore(await other.open())).toEqual(before);
      const store = await back.open();
      expect(await readStore(store)).toEqual(before);
      expect(second.manifest.fragments).toEqual({ ...first.manifest.fragments, count: 2 });
      const [fragment] = await store.read.db.select().from(store.tables.fragments).where(eq(store.tables.fragments.id, planted.fragmentId));
      if (!fragment) throw new Error('The fragment is one of the rows.');
      expect(await readText(domainOf(store, back, planted), fragment, 1_000)).toContain('🚂');
    } finally {
      await other.remove();
    }
  });

  test('lets the device that holds a step continue in the restored store, and its job succeed (P2)', async () => {
    const [source, target] = [await create(), await create()];
    const planted = await plant(source);
    const { folder } = await take(source);
    await restore(folder, target);
    const store = await target.open();
    const domain = domainOf(store, target, planted);
    await forgiveOutage(domain);
    const { nextLogOffset } = await appendLog(domain, admin, {
      leaseToken: planted.leaseToken,
      chunks: [{ offset: 1_000, text: 'later', stream: 'STDOUT' }],
    });
    // The output acknowledged after the backup is missing. The device is told where to continue.
    expect(nextLogOffset).toBe(Buffer.byteLength((await store.read.db.select().from(store.tables.logChunks))[0]?.text ?? ''));
    await completeStep(domain, admin, { leaseToken: planted.leaseToken });
    const jobs = await store.read.db.select().from(store.tables.jobs);
    expect(jobs.map(({ status }) => status)).toEqual(['SUCCEEDED', 'SUCCEEDED']);
  });

  test('that is restored with its leases ended refuses their tokens and queues their steps again (P3)', async () => {
    const [source, target] = [await create(), await create()];
    const planted = await plant(source);
    const { folder } = await take(source);
    await restore(folder, target, true);
    const domain = domainOf(await target.open(), target, planted);
    expect(await refusalOf(completeStep(domain, admin, { leaseToken: planted.leaseToken }))).toMatchObject({ code: 'STALE_LEASE' });
    await forgiveOutage(domain);
    await sweep(domain);
    const { db, t } = domain.store.read;
    expect((await db.select().from(t.steps).where(eq(t.steps.jobId, planted.running.job.id)))[0]).toMatchObject({
      status: 'QUEUED',
      attemptCount: 1,
    });
  });

  test('keeps cursors valid that were issued before it, and has later ones refused for good (P8)', async () => {
    const [source, target] = [await create(), await create()];
    const planted = await plant(source);
    await placed(planted.store);
    const jobId = planted.running.job.id;
    const { folder } = await take(source);
    const log = (domain: typeof planted.seed.domain, text: string) => {
      const [offset] = [domain === planted.seed.domain ? offsets.source : offsets.target];
      if (domain === planted.seed.domain) offsets.source += text.length;
      else offsets.target += text.length;
      return appendLog(domain, admin, { leaseToken: planted.leaseToken, chunks: [{ offset, text, stream: 'STDOUT' }] });
    };
    const [chunk] = await planted.store.read.db.select().from(planted.store.tables.logChunks);
    const offsets = { source: chunk?.size ?? 0, target: chunk?.size ?? 0 };
    // The store continues after the backup, and a subscriber reads the new entries.
    await log(planted.seed.domain, 'lost');
    const cursor = (domain: typeof planted.seed.domain, seq: number) => encodeCursor(domain, { kind: 'log', jobId, seq });
    const [before, after] = [cursor(planted.seed.domain, 1), cursor(planted.seed.domain, 2)];
    const beforeInFeed = encodeCursor(planted.seed.domain, { ...feed, seq: 3 });
    const afterInFeed = encodeCursor(planted.seed.domain, { ...feed, seq: 1_000 });

    await restore(folder, target);
    const store = await target.open();
    const domain = domainOf(store, target, planted);
    const wakeups = new Wakeups(store);
    await forgiveOutage(domain);
    expect(store.identity).not.toBe(planted.store.identity);
    expect(await refusalOf(jobStream(domain, wakeups, { kind: 'log', jobId, after }))).toMatchObject({ code: 'BAD_REQUEST' });
    for (const text of ['other', 'words', 'in its', 'place']) await log(domain, text);
    // Its number has been reused for another entry.
    expect(await refusalOf(jobStream(domain, wakeups, { kind: 'log', jobId, after }))).toMatchObject({ code: 'BAD_REQUEST' });
    const stream = await jobStream(domain, wakeups, { kind: 'log', jobId, after: before });
    const { value: frame } = await stream.next();
    expect(frame?.rows.map(({ text }) => text)).toEqual(['other', 'words', 'in its', 'place']);
    expect(frame?.missed).toBe(0);
    await stream.return?.();
    const all = await feedStream(domain, wakeups, admin, { after: beforeInFeed });
    const { value: first } = await all.next();
    expect(first?.rows[0]?.position).toBe(4);
    await all.return?.();
    expect(await refusalOf(feedStream(domain, wakeups, admin, { after: afterInFeed }))).toMatchObject({ code: 'BAD_REQUEST' });
    // The cursors of the restored store are valid.
    const own = await jobStream(domain, wakeups, { kind: 'log', jobId, after: cursor(domain, 3) });
    expect((await own.next()).value?.rows.map(({ text }) => text)).toEqual(['in its', 'place']);
    await own.return?.();
  });

  test('has a file that is deleted while it is taken, or reports that it is missing', async () => {
    const source = await create();
    const planted = await plant(source);
    // Deleted after the first files are copied: its row is no longer in the tables.
    let deleted: Promise<unknown> = Promise.resolve();
    const { manifest, folder } = await take(source, undefined, (line) => {
      if (line.startsWith('streams')) deleted = deleteFragment(planted.seed.domain, admin, { fragmentId: planted.fragmentId });
    });
    await deleted;
    expect(manifest.fragments).toMatchObject({ count: 2, missing: [] });
    const target = await create();
    await restore(folder, target);
    const domain = domainOf(await target.open(), target, planted);
    const { db, t } = domain.store.read;
    const [fragment] = await db.select().from(t.fragments).where(eq(t.fragments.id, planted.fragmentId));
    expect(fragment && (await readText(domain, fragment, 1_000))).toContain('🚂');

    // A file that is gone before it could be copied.
    const other = (await planted.store.read.db.select().from(planted.store.tables.fragments)).find(({ status }) => status === 'READY');
    await planted.files.remove(other?.id ?? '');
    const second = await take(source);
    expect(second.manifest.fragments).toMatchObject({ count: 0, missing: [other?.id] });
    const last = await create();
    await restore(second.folder, last);
    const { read } = await last.open();
    expect((await read.db.select().from(read.t.fragments)).map(({ status }) => status)).toEqual(['PENDING', 'PENDING']);
  });

  test('is readable only by its owner, and needs no space for files on the same file system', async () => {
    const source = await create();
    await plant(source);
    const { folder } = await take(source);
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      const { mode, nlink } = statSync(join(entry.parentPath, entry.name));
      expect(mode & 0o077, entry.name).toBe(0);
      if (entry.isFile() && entry.parentPath.includes('fragments')) expect(nlink).toBe(2);
    }
  });

  test('that is interrupted by a kill leaves no backup, and the next one is complete (P1)', async () => {
    const source = await create();
    const planted = await plant(source);
    await placed(planted.store);
    const parent = createFolder('backup');
    const folder = join(parent, 'taken');
    expect(await cutOff('backup', folder, source, 'jobs')).toBe('SIGKILL');
    expect(existsSync(folder)).toBe(false);
    expect(readdirSync(parent)).toEqual([expect.stringMatching(/^taken\.unfinished-/)]);
    await take(source, folder);
    const target = await create();
    await restore(folder, target);
    expect(await readStore(await target.open())).toEqual(await readStore(planted.store));
  });

  test('whose restore is interrupted by a kill leaves no store, and can be restored again (P1)', async () => {
    const [source, target] = [await create(), await create()];
    const planted = await plant(source);
    await placed(planted.store);
    const { folder } = await take(source);
    expect(await cutOff('restore', folder, target, 'steps')).toBe('SIGKILL');
    if (target.url === null) expect(existsSync(target.file)).toBe(false);
    await restore(folder, target);
    expect(await readStore(await target.open())).toEqual(await readStore(planted.store));
  });

  test.runIf(dialect === 'sqlite')('is restored intact where a former store left its log (P1)', async () => {
    const [source, target, killed] = [await create(), await create(), await create()];
    const planted = await plant(source);
    const { folder } = await take(source);
    // As after a kill, its writes are in the log beside its file. Then someone removed the file
    // alone.
    await plant(killed);
    copyFileSync(`${killed.file}-wal`, `${target.file}-wal`);
    await restore(folder, target);
    expect(await readStore(await target.open())).toEqual(await readStore(planted.store));
  });

  test('has a manifest of its contents', async () => {
    const source = await create();
    await plant(source);
    const { folder, manifest } = await take(source);
    expect(JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8'))).toEqual(manifest);
    expect(manifest).toMatchObject({ format: 1, takenAt: '2026-06-01T00:00:00.000Z', fragments: { count: 2, missing: [] } });
    expect(manifest.tables.find(({ name }) => name === 'jobs')?.rows).toBe(2);
  });
});
