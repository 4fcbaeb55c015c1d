/**
 * The feed across jobs: a reader that continues after the last position it saw misses nothing (P7).
 */
import { and, asc, gt } from 'drizzle-orm';
import { expect, test } from 'vitest';
import { type Change, change, recordNow } from '../../src/domain/core/change.ts';
import { createDomain } from '../../src/domain/core/domain.ts';
import { DiskFiles } from '../../src/store/files/disk.ts';
import type { EventRow } from '../../src/store/schema/tables.ts';
import { feedTopic, type Store } from '../../src/store/store.ts';
import { describeOnEachStore } from '../support/databases.ts';
import { createFolder } from '../support/folders.ts';
import { pickNumber, seedRandom } from '../support/random.ts';

const happen = (change: Change, jobId: string, description = '') =>
  recordNow(change, { id: jobId, projectId: 'proj_1' }, { type: 'JOB_UPDATED', description });
const files = new DiskFiles(createFolder('files'));
const write = (store: Store, work: (change: Change) => Promise<unknown>) => change(createDomain({ store, files }), null, work);

const eventsAfter = (store: Store, position: number, limit = 1_000): Promise<EventRow[]> => {
  const { db, t } = store.read;
  return Promise.resolve(
    db
      .select()
      .from(t.events)
      .where(and(gt(t.events.position, position), gt(t.events.position, 0)))
      .orderBy(asc(t.events.position))
      .limit(limit),
  );
};

/**
 * Reads on from the last position in small batches, as streams do, at each wake-up, until there are
 * this many.
 */
async function follow(store: Store, count: number): Promise<EventRow[]> {
  const seen: EventRow[] = [];
  let news = Promise.withResolvers<void>();
  const end = store.onCommit((topics) => {
    if (topics.has(feedTopic) || topics.has('*')) news.resolve();
  });
  try {
    while (seen.length < count) {
      news = Promise.withResolvers<void>();
      const batch = await eventsAfter(store, seen.at(-1)?.position ?? 0, 7);
      seen.push(...batch);
      if (batch.length === 0 && seen.length < count) await news.promise;
    }
    return seen;
  } finally {
    end();
  }
}

describeOnEachStore('The feed across jobs', (open, create, dialect) => {
  test('shows a reader every event once, those of one job in their order, while many write', async () => {
    const database = await create();
    // SQLite has one gateway. PostgreSQL has two here, and the reader uses a third.
    const gateways = dialect === 'sqlite' ? [await database.open()] : [await database.open(), await database.open()];
    const reader = dialect === 'sqlite' ? gateways[0] : await database.open();
    if (!reader) throw new Error('there is a gateway');
    const random = seedRandom('feed');
    const jobs = ['job_a', 'job_b', 'job_c', 'job_d', 'job_e'];
    const following = follow(reader, 400);
    const writers = Array.from({ length: 8 }, async (_, writer) => {
      for (let i = 0; i < 50; i++) {
        const jobId = jobs[pickNumber(random, jobs.length)] ?? '';
        const store = gateways[writer % gateways.length] ?? reader;
        await write(store, (change) => happen(change, jobId, `${writer}:${i}`));
      }
    });
    await Promise.all(writers);
    const seen = await following;
    const stored = await eventsAfter(reader, 0);
    expect(seen).toEqual(stored);
    expect(new Set(seen.map(({ description }) => description)).size).toBe(400);
    for (const jobId of jobs) {
      const ofJob = seen.filter((event) => event.jobId === jobId).map(({ seq }) => seq);
      expect(ofJob).toEqual(ofJob.map((_, i) => i + 1));
    }
    // Events that a writer saw committed before it wrote again come before those it wrote then.
    for (let writer = 0; writer < 8; writer++) {
      const ofWriter = seen.filter(({ description }) => description.startsWith(`${writer}:`)).map(({ description }) => description);
      expect(ofWriter).toEqual(Array.from({ length: 50 }, (_, i) => `${writer}:${i}`));
    }
  });

  test('leaves out events of undone writes', async () => {
    const store = await open();
    const following = follow(store, 2);
    await write(store, (change) => happen(change, 'job_a', 'first'));
    const undone = write(store, async (change) => {
      await happen(change, 'job_a', 'undone');
      throw new Error('no');
    });
    await expect(undone).rejects.toThrow('no');
    await write(store, (change) => happen(change, 'job_a', 'second'));
    expect((await following).map(({ description, seq }) => [description, seq])).toEqual([
      ['first', 1],
      ['second', 2],
    ]);
  });

  test('never gives a position twice, also after its events were deleted and the database was opened again', async () => {
    const database = await create();
    const first = await database.open();
    for (const jobId of ['job_a', 'job_b', 'job_a']) await write(first, (change) => happen(change, jobId));
    const before = await follow(first, 3);
    await first.write(async ({ db, t }) => db.delete(t.events));
    await first.close();
    const second = await database.open();
    await write(second, (change) => happen(change, 'job_c'));
    const [after] = await follow(second, 1);
    expect(after?.position).toBeGreaterThan(before.at(-1)?.position ?? Number.POSITIVE_INFINITY);
  });

  if (dialect === 'postgres')
    test('shows an event of a long transaction to readers that are already past its start', async () => {
      const store = await open();
      const reached = Promise.withResolvers<void>();
      const goOn = Promise.withResolvers<void>();
      const long = write(store, async (change) => {
        await happen(change, 'job_long', 'long');
        reached.resolve();
        await goOn.promise;
      });
      await reached.promise;
      const following = follow(store, 2);
      await write(store, (change) => happen(change, 'job_short', 'short'));
      await follow(store, 1);
      goOn.resolve();
      await long;
      expect((await following).map(({ description }) => description)).toEqual(['short', 'long']);
    });

  if (dialect === 'postgres')
    test('gives positions to the events of a gateway that died after its commit', async () => {
      const database = await create();
      const first = await database.open();
      await write(first, (change) => happen(change, 'job_a', 'placed'));
      await follow(first, 1);
      await first.write(async ({ db, t }) => db.update(t.events).set({ position: -1_000 }));
      await first.close();
      const second = await database.open();
      const [event] = await follow(second, 1);
      expect(event?.description).toBe('placed');
    });
});
