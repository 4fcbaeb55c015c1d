/** Stores of versions that did not count lines: their logs are counted once, a little at a time. */
import SqliteDatabase from 'better-sqlite3';
import { eq, sql } from 'drizzle-orm';
import { beforeEach, expect, test } from 'vitest';
import { defaultRetention } from '../../../src/domain/core/limits.ts';
import { deleteJob } from '../../../src/domain/jobs/update.ts';
import { isUnnumbered, numberLog } from '../../../src/domain/logs/numbering.ts';
import { applyRetention } from '../../../src/domain/sweep/retention.ts';
import type { LogChunkRow } from '../../../src/store/schema/tables.ts';
import type { Store } from '../../../src/store/store.ts';
import { askAs } from '../../schema/ask.ts';
import { describeOnEachStore, querySql, type TestDatabase } from '../../support/databases.ts';
import { seedRandom } from '../../support/random.ts';
import { admin, plantSeed, type Seed, type SeededJob } from '../../support/seed.ts';
import { countsOf, Logger, readChunks } from './logging.ts';

describeOnEachStore('A log that was written before lines were counted', (_open, create) => {
  let database: TestDatabase;
  let store: Store;
  let seed: Seed;
  let opened = 0;
  beforeEach(async () => {
    database = await create('migrated');
    store = await database.open();
    seed = await plantSeed(store);
  });

  /** Leaves every row as migration 0004_log_lines leaves those that it finds. */
  async function downgrade(): Promise<void> {
    await store.close();
    const statements = ['update streams set numbered = 0', 'update steps set log_counts = null', 'update log_chunks set first_line = null'];
    if (database.url === null) {
      const file = new SqliteDatabase(database.file);
      for (const statement of statements) file.exec(statement);
      file.close();
    } else for (const statement of statements) await querySql(database.url, statement);
  }
  async function reopen(): Promise<void> {
    await store.close();
    store = await database.open();
    opened += 1;
    seed = await plantSeed(store, { seed: `opened ${opened}` });
  }
  async function upgrade(): Promise<void> {
    await downgrade();
    await reopen();
  }

  /** A job with a random log of two steps. */
  async function loggedJob(random: ReturnType<typeof seedRandom>): Promise<{ job: SeededJob; chunks: LogChunkRow[] }> {
    const job = await seed.createJob([0, 1].map((i) => ({ name: `Step ${i}`, maxAttempts: 100 })));
    for (const number of [0, 1]) {
      const logger = new Logger(() => seed, job, number);
      for (let i = 0; i < 40; i++) await logger.something(random);
      await logger.complete();
    }
    return { job, chunks: await readChunks(store.read, job.job.id) };
  }
  /** Jobs whose logs are not numbered to their end. */
  const left = async () => (await store.read.db.select().from(store.tables.streams)).filter(isUnnumbered).map(({ jobId }) => jobId);
  const numberAll = (pause: () => Promise<void>) => applyRetention(seed.domain, defaultRetention, { pause, which: 'all' });
  const cutOffAfter = (steps: number) => async () => {
    if (--steps === 0) throw new Error('cut off');
  };

  test('gets the same numbers in the background, also when that is interrupted, and is then left alone', async () => {
    const random = seedRandom('background');
    const jobs = [await loggedJob(random), await loggedJob(random), await loggedJob(random)];
    const silent = await seed.createJob();
    await upgrade();
    expect(await left()).toHaveLength(3);
    expect((await readChunks(store.read, jobs[0]?.job.job.id ?? '')).every(({ firstLine }) => firstLine === null)).toBe(true);
    for (let i = 0; i < 3; i++) await expect(numberAll(cutOffAfter(1))).rejects.toThrow('cut off');
    expect(await left()).not.toEqual([]);
    // A kill between two steps.
    await reopen();
    await numberAll(async () => {});
    expect(await left()).toEqual([]);
    for (const { job, chunks } of jobs) {
      expect(await readChunks(store.read, job.job.id)).toEqual(chunks);
      for (const step of await seed.readSteps(job.job.id)) expect(step.logCounts).toMatchObject(countsOf(chunks, step));
    }
    expect((await seed.readSteps(silent.job.id))[0]?.logCounts).toBeNull();
    await numberAll(() => Promise.reject(new Error('There was nothing to do.')));
  });

  test('is numbered in small steps, each of which leaves the event loop free', async () => {
    const job = await seed.createJob();
    const logger = new Logger(() => seed, job);
    for (let i = 0; i < 5; i++) await logger.write(...Array(100).fill('line\n'));
    await upgrade();
    const counts: number[] = [];
    await numberAll(async () => {
      counts.push((await readChunks(store.read, job.job.id)).filter(({ firstLine }) => firstLine !== null).length);
    });
    expect(counts).toEqual([100, 200, 300, 400, 500]);
  });

  test('is shown right before that, to readers that come at the same time', async () => {
    const { job, chunks } = await loggedJob(seedRandom('readers'));
    await upgrade();
    const ask = askAs(seed.domain, admin);
    const query = `query ($id: ID!) { job(id: $id) { steps { number logLines logBytes
      log { chunks { cursor firstLine } } logEnd(lines: 3) { chunks { firstLine } } } } }`;
    interface Shown {
      number: number;
      logLines: number;
      logBytes: number;
      log: { chunks: { firstLine: number }[] };
      logEnd: { chunks: { firstLine: number }[] };
    }
    const answers = await Promise.all(Array.from({ length: 5 }, () => ask<{ job: { steps: Shown[] } }>(query, { id: job.job.id })));
    for (const { job: shown } of answers) {
      for (const { number, logLines, logBytes, log, logEnd } of shown.steps) {
        const own = chunks.filter(({ stepNumber }) => stepNumber === number).map(({ firstLine }) => firstLine);
        const [step] = job.steps.filter((step) => step.number === number);
        expect({ lines: logLines, bytes: logBytes }).toEqual(step && countsOf(chunks, step));
        expect(log.chunks.map(({ firstLine }) => firstLine)).toEqual(own.slice(0, 100));
        expect(logEnd.chunks.map(({ firstLine }) => firstLine)).toEqual(own.slice(-logEnd.chunks.length));
      }
    }
    expect(await left()).toEqual([]);
  });

  test('goes on with the right numbers while its attempt writes, and then is numbered as it is written', async () => {
    const job = await seed.createJob();
    const logger = new Logger(() => seed, job);
    await logger.write(...Array(150).fill('line\n'), 'begun ');
    await upgrade();
    await logger.write('and ended\n', 'next\n');
    expect((await readChunks(store.read, job.job.id)).at(-1)?.firstLine).toBeNull();
    await expect(numberAll(cutOffAfter(1))).rejects.toThrow('cut off');
    await logger.write('one more\n');
    await numberLog(seed.domain, job.job.id);
    await logger.write('the last\n');
    expect((await readChunks(store.read, job.job.id)).slice(-5).map(({ firstLine }) => firstLine)).toEqual([151, 151, 152, 153, 154]);
    expect((await seed.readSteps(job.job.id))[0]?.logCounts?.lines).toBe(154);
  });

  test('of which retention had removed the beginning is numbered from what is there', async () => {
    const job = await seed.createJob();
    await new Logger(() => seed, job).write('one\n', 'two\n', 'three\n');
    const { t } = store.read;
    await store.write(async (tx) => {
      await tx.db.delete(t.logChunks).where(sql`${t.logChunks.jobId} = ${job.job.id} and ${t.logChunks.seq} = 1`);
      await tx.db.update(t.streams).set({ first: 2, removed: 1 }).where(eq(t.streams.jobId, job.job.id));
    });
    await upgrade();
    await numberAll(async () => {});
    expect((await readChunks(store.read, job.job.id)).map(({ firstLine }) => firstLine)).toEqual([1, 2]);
    expect((await seed.readSteps(job.job.id))[0]?.logCounts).toMatchObject({ lines: 2, bytes: 14 });
  });

  test('is numbered before retention removes any of it, and not at all once its job is deleted', async () => {
    const [kept, deleted] = [await seed.createJob(), await seed.createJob()];
    const loggers = [kept, deleted].map((job) => new Logger(() => seed, job));
    for (const logger of loggers) await logger.write(...Array(20).fill('0123456789\n'));
    await loggers[1]?.complete();
    await upgrade();
    await deleteJob(seed.domain, admin, { jobId: deleted.job.id });
    await applyRetention(seed.domain, { ...defaultRetention, logBytes: 50 }, { pause: async () => {}, which: 'all' });
    expect((await readChunks(store.read, kept.job.id)).map(({ firstLine }) => firstLine)).toEqual([17, 18, 19, 20]);
    expect((await readChunks(store.read, deleted.job.id)).every(({ firstLine }) => firstLine === null)).toBe(true);
  });
});
