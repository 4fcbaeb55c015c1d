/**
 * Streams: resumable reads of stored rows, from history to live entries to the end (P7, P8, P9).
 */
import { beforeEach, expect, test } from 'vitest';
import { completeStep } from '../../src/domain/claims/outcomes.ts';
import { appendLog, reportMetrics, reportTelemetry } from '../../src/domain/claims/progress.ts';
import { encodeCursor, feed } from '../../src/domain/core/cursors.ts';
import { createDomain } from '../../src/domain/core/domain.ts';
import type { StreamKind } from '../../src/domain/core/vocabulary.ts';
import { deleteJob } from '../../src/domain/jobs/update.ts';
import { claimableCounts } from '../../src/realtime/claimable-counts.ts';
import { jobChanges, jobsChanges } from '../../src/realtime/live-lists.ts';
import { type Frame, feedStream, type JobStream, jobStream } from '../../src/realtime/streams.ts';
import { Wakeups } from '../../src/realtime/wakeups.ts';
import { describeOnGround, refusalOf } from '../support/ground.ts';
import { pickNumber, seedRandom } from '../support/random.ts';
import { admin } from '../support/seed.ts';

type Rows = readonly { readonly seq: number }[];
type Frames = AsyncIterableIterator<Frame<{ readonly seq: number }>, undefined>;

describeOnGround('A stream', (on, database) => {
  let job: { id: string };
  let leaseToken: string;
  let written: number;
  beforeEach(async () => {
    const { seed } = on();
    job = (await seed.createJob()).job;
    leaseToken = (await seed.claim(job as Awaited<ReturnType<typeof seed.readJob>>)).lease.token;
    written = 0;
  });

  const open = <K extends StreamKind>(kind: K, of: Partial<JobStream<K>> = {}) =>
    jobStream(on().seed.domain, on().wakeups, { kind, jobId: job.id, ...of });
  /** Appends this many chunks to the log in one write. */
  async function write(count: number): Promise<void> {
    const chunks = Array.from({ length: count }, (_, i) => ({
      offset: (written + i) * 10,
      text: 'ten bytes\n',
      stream: 'STDOUT' as const,
    }));
    written += count;
    await appendLog(on().seed.domain, admin, { leaseToken, chunks });
  }
  const complete = () => completeStep(on().seed.domain, admin, { leaseToken });
  const cursorAt = (seq: number, kind: StreamKind = 'log', jobId = job.id) => encodeCursor(on().seed.domain, { kind, jobId, seq });
  async function take<T>(stream: AsyncIterator<T, undefined>): Promise<T> {
    const { value } = await stream.next();
    if (value === undefined) throw new Error('The stream is over.');
    return value;
  }
  const seqsOf = (rows: Rows) => rows.map(({ seq }) => seq);
  const fromTo = (first: number, last: number) => Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => first + i);
  /**
   * Reads to the end. Ends and resumes from the last cursor after as many frames as `patience`
   * returns.
   */
  async function readAll(after: string | null, patience = () => Number.POSITIVE_INFINITY): Promise<number[]> {
    const seqs: number[] = [];
    for (let cursor = after; ; ) {
      const stream = await open('log', { after: cursor });
      for (let left = patience(); left > 0; left--) {
        const frame = await take(stream);
        expect(frame.missed).toBe(0);
        seqs.push(...seqsOf(frame.rows));
        cursor = frame.cursor;
        if (frame.state === 'ENDED') return seqs;
      }
      await stream.return?.();
      await new Promise(setImmediate);
    }
  }

  test('delivers history, says that it is live, continues with new entries, and ends (P7)', async () => {
    await write(250);
    const stream = await open('log');
    const history = [await take(stream), await take(stream), await take(stream)];
    expect(history.map(({ state, rows }) => [state, rows.length])).toEqual([
      ['REPLAYING', 100],
      ['REPLAYING', 100],
      ['LIVE', 50],
    ]);
    const next = take(stream);
    await write(2);
    const live = await next;
    expect([live.state, ...seqsOf(live.rows)]).toEqual(['LIVE', 251, 252]);
    const last = take(stream);
    await complete();
    expect(await last).toMatchObject({ state: 'ENDED', rows: [] });
    expect(await stream.next()).toEqual({ value: undefined, done: true });
    expect(seqsOf(history.flatMap(({ rows }) => [...rows]))).toEqual(fromTo(1, 250));
    for (const { cursor, rows } of [...history, live]) {
      expect(await readAll(cursor)).toEqual(fromTo((rows.at(-1)?.seq ?? 0) + 1, 252));
    }
    expect([on().wakeups.size, on().seed.clock.waiting]).toEqual([0, 0]);
  });

  test('says at once that it is LIVE if it is empty, and ENDED if nothing will follow', async () => {
    for (const kind of ['log', 'metric', 'telemetry'] as const) {
      const stream = await open(kind);
      expect(await take(stream)).toMatchObject({ state: 'LIVE', rows: [], missed: 0 });
      await stream.return?.();
    }
    await complete();
    for (const kind of ['log', 'metric', 'telemetry', 'event'] as const) {
      const stream = await open(kind);
      expect(await take(stream)).toMatchObject({ state: 'ENDED' });
      expect((await stream.next()).done).toBe(true);
    }
  });

  test('has no gap and no repetition for a subscriber that reconnects while it is written (P7)', async () => {
    const random = seedRandom('comes and goes');
    const readers = Array.from({ length: 8 }, () => readAll(null, () => 1 + pickNumber(random, 3)));
    for (let i = 0; i < 60; i++) await write(1 + pickNumber(random, 4));
    await complete();
    for (const reader of readers) expect(await reader).toEqual(fromTo(1, written));
  });

  test('is complete for 200 subscribers at random positions while it is written (P7)', async () => {
    const random = seedRandom('places');
    await write(500);
    const places = Array.from({ length: 200 }, (_, i) => (i % 4 === 0 ? 500 : pickNumber(random, 501)));
    const readers = places.map((place) => readAll(place === 0 ? null : cursorAt(place)));
    for (let i = 0; i < 20; i++) await write(1 + pickNumber(random, 20));
    await complete();
    for (const [i, reader] of readers.entries()) expect(await reader).toEqual(fromTo((places[i] ?? 0) + 1, written));
    expect([on().wakeups.size, on().seed.clock.waiting]).toEqual([0, 0]);
  });

  test('gives the same frame object to all subscribers at one position', async () => {
    await write(3);
    const streams = await Promise.all(Array.from({ length: 5 }, () => open('log')));
    await Promise.all(streams.map(take));
    const next = Promise.all(streams.map(take));
    await write(2);
    expect(new Set(await next).size).toBe(1);
    for (const stream of streams) await stream.return?.();
  });

  test('gives a slow consumer fewer and larger frames (P9)', async () => {
    const stream = await open('log');
    await take(stream);
    for (let i = 0; i < 30; i++) await write(2);
    expect(seqsOf((await take(stream)).rows)).toEqual(fromTo(1, 60));
    for (let i = 0; i < 3; i++) await write(100);
    // At most one batch, and it stays LIVE: the entries are new.
    expect([await take(stream), await take(stream), await take(stream)].map(({ state, rows }) => [state, rows.length])).toEqual(
      Array(3).fill(['LIVE', 100]),
    );
    await stream.return?.();
  });

  test('that misses a wake-up continues at the next safety poll, and not before', async () => {
    const { seed } = on();
    const deaf = {
      on: () => () => {},
      joinWaitQueue: () => ({ startLook() {}, finishLook: async () => {}, leave() {} }),
      isStopping: false,
    };
    const stream = await jobStream(seed.domain, deaf, { kind: 'log', jobId: job.id });
    await take(stream);
    const next = take(stream);
    while (seed.clock.waiting === 0) await new Promise(setImmediate);
    await write(1);
    seed.clock.advance(4_999);
    const late = await Promise.race([next, new Promise((resolve) => setImmediate(() => resolve('nothing yet')))]);
    expect(late).toBe('nothing yet');
    seed.clock.advance(1);
    expect(seqsOf((await next).rows)).toEqual([1]);
    await stream.return?.();
  });

  test('delivers an entry written through another gateway on the same database at once', async () => {
    const { seed } = on();
    if (database().url === null) return;
    const store = await database().open();
    const { files, clock, limits } = seed.domain;
    const other = createDomain({ store, files, clock, limits });
    const wakeups = new Wakeups(store);
    const stream = await jobStream(other, wakeups, { kind: 'log', jobId: job.id });
    await take(stream);
    const next = take(stream);
    await write(3);
    expect(seqsOf((await next).rows)).toEqual([1, 2, 3]);
    const last = take(stream);
    await complete();
    expect((await last).state).toBe('ENDED');
    expect(wakeups.size).toBe(0);
    await store.close();
  });

  test('of metrics delivers the requested names, and its cursor passes over the others', async () => {
    const { seed } = on();
    const report = (...names: string[]) =>
      reportMetrics(seed.domain, admin, { leaseToken, metrics: names.map((name) => ({ name, value: 1 })) });
    await report('loss', 'accuracy', 'loss', 'speed');
    const stream = await open('metric', { names: ['loss'] });
    const first = await take(stream);
    expect(seqsOf(first.rows)).toEqual([1, 3]);
    expect(first.cursor).toBe(cursorAt(4, 'metric'));
    const next = take(stream);
    await report('speed');
    await report('loss');
    expect(seqsOf((await next).rows)).toEqual([6]);
    await stream.return?.();
  });

  test("of telemetry, or of one step's log, delivers only that", async () => {
    const { seed } = on();
    await reportTelemetry(seed.domain, admin, { leaseToken, samples: [{ cpu: 1, memoryMb: 2 }] });
    await write(2);
    const telemetry = await open('telemetry');
    expect((await take(telemetry)).rows).toMatchObject([{ seq: 1, cpu: 1, memoryMb: 2, stepNumber: 0, attempt: 1 }]);
    await telemetry.return?.();
    const other = await open('log', { stepNumber: 1 });
    expect(await take(other)).toMatchObject({ state: 'LIVE', rows: [] });
    await other.return?.();
  });

  test('ends when its job is deleted', async () => {
    const { seed } = on();
    const live = jobChanges(seed.domain, on().wakeups, job.id);
    expect(await take(live)).toMatchObject({ id: job.id, status: 'RUNNING' });
    await complete();
    expect(await take(live)).toMatchObject({ status: 'SUCCEEDED' });
    const end = live.next();
    await deleteJob(seed.domain, admin, { jobId: job.id });
    expect(await end).toEqual({ value: undefined, done: true });
    const gone = await open('log');
    expect((await gone.next()).done).toBe(true);
  });

  test('refuses a cursor that it did not return: foreign, future or garbage (P8)', async () => {
    const { seed } = on();
    await write(5);
    const { job: other } = await seed.createJob();
    const identity = seed.domain.store.identity;
    const spelled = (text: string) => Buffer.from(text).toString('base64url');
    const cursors = {
      "another stream's": cursorAt(1, 'event'),
      "another job's": cursorAt(1, 'log', other.id),
      "another store's": spelled(`elsewhere.log.${job.id}.1`),
      'of the future': cursorAt(6),
      'of no number': spelled(`${identity}.log.${job.id}.`),
      negative: spelled(`${identity}.log.${job.id}.-1`),
      'a fraction': spelled(`${identity}.log.${job.id}.1.5`),
      'too large a number': spelled(`${identity}.log.${job.id}.99999999999999999999`),
      'in hexadecimal': spelled(`${identity}.log.${job.id}.0x1`),
      empty: '',
      garbage: 'not a cursor',
      NUL: '\0',
      long: 'A'.repeat(100_000),
    };
    for (const [what, after] of Object.entries(cursors))
      expect(await refusalOf(open('log', { after })), what).toMatchObject({ code: 'BAD_REQUEST' });
    expect(await refusalOf(feedStream(seed.domain, on().wakeups, admin, { after: cursorAt(1) }))).toMatchObject({ code: 'BAD_REQUEST' });
    const future = encodeCursor(seed.domain, { ...feed, seq: 1e9 });
    expect(await refusalOf(feedStream(seed.domain, on().wakeups, admin, { after: future }))).toMatchObject({ code: 'BAD_REQUEST' });
    expect([on().wakeups.size, seed.clock.waiting]).toEqual([0, 0]);
  });

  test('that is ended while it waits leaves no listener behind (P9)', async () => {
    const { seed, wakeups } = on();
    const { device } = await seed.registerDevice();
    const { domain } = seed;
    const streams: AsyncIterableIterator<unknown, undefined>[] = [
      ...(await Promise.all((['event', 'log', 'metric', 'telemetry'] as const).map((kind): Promise<Frames> => open(kind)))),
      await feedStream(domain, wakeups, admin, { filter: { projectId: seed.project.id } }),
      jobChanges(domain, wakeups, job.id),
      await jobsChanges(domain, wakeups, admin, { projectId: seed.project.id }),
      claimableCounts(domain, wakeups, device.id),
    ];
    for (const stream of streams) await stream.next();
    expect(wakeups.size).toBeGreaterThanOrEqual(streams.length);
    const waiting = streams.map((stream) => stream.next());
    for (const stream of streams) await stream.return?.();
    for (const result of await Promise.all(waiting)) expect(result.done).toBe(true);
    for (const stream of streams) expect((await stream.next()).done).toBe(true);
    expect([wakeups.size, seed.clock.waiting]).toEqual([0, 0]);
  });

  test('that is never read, or ended before it is read, leaves nothing behind either', async () => {
    const { seed, wakeups } = on();
    const stream = await open('log');
    await stream.return?.();
    await stream.return?.();
    expect((await stream.next()).done).toBe(true);
    expect([wakeups.size, seed.clock.waiting]).toEqual([0, 0]);
  });
});
