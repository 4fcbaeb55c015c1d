/** The metrics of several jobs in one stream, from their curves on, without loss (P7). */
import { beforeEach, expect, test } from 'vitest';
import { completeStep } from '../../src/domain/claims/outcomes.ts';
import { reportMetrics } from '../../src/domain/claims/progress.ts';
import { encodeCursor } from '../../src/domain/core/cursors.ts';
import { cursorOfJob } from '../../src/domain/core/joint-cursors.ts';
import { deleteJob } from '../../src/domain/jobs/update.ts';
import { type MetricsOfJobs, metricsOfJobs } from '../../src/realtime/metrics-of-jobs.ts';
import { type Frame, jobStream } from '../../src/realtime/streams.ts';
import type { MetricPointRow } from '../../src/store/schema/tables.ts';
import { askAs } from '../schema/ask.ts';
import { describeOnGround } from '../support/ground.ts';
import { pickNumber, seedRandom } from '../support/random.ts';
import { admin } from '../support/seed.ts';

interface Running {
  readonly id: string;
  readonly leaseToken: string;
  reported: number;
}

describeOnGround('The metrics of several jobs', (on) => {
  let jobs: Running[];
  let ids: string[];
  beforeEach(async () => {
    const { seed } = on();
    jobs = [];
    for (let i = 0; i < 3; i++) {
      const job = await seed.createJob();
      jobs.push({ id: job.job.id, leaseToken: (await seed.claim(job)).lease.token, reported: 0 });
    }
    ids = jobs.map(({ id }) => id);
  });

  const open = (of: Partial<MetricsOfJobs> = {}) => metricsOfJobs(on().seed.domain, on().wakeups, { jobIds: ids, ...of });
  async function report(job: Running | undefined, count: number, name = 'loss'): Promise<void> {
    if (!job) throw new Error('There is no such job.');
    const metrics = Array.from({ length: count }, (_, i) => ({ name, value: job.reported + i + 1, iteration: job.reported + i }));
    job.reported += count;
    await reportMetrics(on().seed.domain, admin, { leaseToken: job.leaseToken, metrics });
  }
  const complete = (job: Running | undefined) => completeStep(on().seed.domain, admin, { leaseToken: job?.leaseToken ?? '' });
  async function take(stream: AsyncIterator<Frame<MetricPointRow>, undefined>): Promise<Frame<MetricPointRow>> {
    const { value } = await stream.next();
    if (value === undefined) throw new Error('The stream is over.');
    return value;
  }
  const shown = ({ state, rows }: Frame<MetricPointRow>) => [state, ...rows.map(({ jobId, value }) => `${ids.indexOf(jobId)}:${value}`)];
  /** Reads to the end. Resumes from the last cursor after as many frames as `patience` returns. */
  async function readAll(after: string | null, patience: () => number): Promise<Map<string, number[]>> {
    const values = new Map<string, number[]>(ids.map((id) => [id, []]));
    for (let cursor = after; ; ) {
      const stream = await open({ after: cursor });
      for (let left = patience(); left > 0; left--) {
        const frame = await take(stream);
        expect(frame.missed).toBe(0);
        for (const { jobId, value } of frame.rows) values.get(jobId)?.push(value);
        cursor = frame.cursor;
        if (frame.state === 'ENDED') return values;
      }
      await stream.return?.();
      await new Promise(setImmediate);
    }
  }

  test('come as history, then as they are reported, until all jobs have ended', async () => {
    await report(jobs[0], 2);
    await report(jobs[2], 1);
    const stream = await open();
    expect(shown(await take(stream))).toEqual(['LIVE', '0:1', '0:2', '2:1']);
    const next = take(stream);
    await report(jobs[1], 1);
    expect(shown(await next)).toEqual(['LIVE', '1:1']);
    await complete(jobs[0]);
    await complete(jobs[1]);
    const last = take(stream);
    await report(jobs[2], 1);
    expect(shown(await last)).toEqual(['LIVE', '2:2']);
    const end = take(stream);
    await complete(jobs[2]);
    expect(shown(await end)).toEqual(['ENDED']);
    expect((await stream.next()).done).toBe(true);
    expect([on().wakeups.size, on().seed.clock.waiting]).toEqual([0, 0]);
  });

  test('have no gap and no repetition for readers that reconnect while they are written (P7)', async () => {
    const random = seedRandom('comes and goes between jobs');
    const readers = Array.from({ length: 6 }, () => readAll(null, () => 1 + pickNumber(random, 3)));
    for (let i = 0; i < 60; i++) await report(jobs[pickNumber(random, 3)], 1 + pickNumber(random, 40));
    // More than one frame holds.
    await report(jobs[0], 1_000);
    await report(jobs[1], 1_000);
    for (const job of jobs) await complete(job);
    for (const reader of readers) {
      for (const [id, values] of await reader) {
        const reported = jobs.find((job) => job.id === id)?.reported ?? 0;
        expect(values).toEqual(Array.from({ length: reported }, (_, i) => i + 1));
      }
    }
  });

  test('continue the curves of compareMetric, and each job its own', async () => {
    await report(jobs[0], 3);
    await report(jobs[1], 2);
    const ask = askAs(on().seed.domain, admin);
    const { compareMetric } = await ask<{ compareMetric: { cursor: string; points: { value: number }[] }[] }>(
      'query ($ids: [ID!]!) { compareMetric(name: "loss", jobIds: $ids) { cursor points { value } } }',
      { ids },
    );
    expect(compareMetric.map(({ points }) => points.length)).toEqual([3, 2, 0]);
    const cursor = compareMetric[0]?.cursor ?? '';
    expect(new Set(compareMetric.map((series) => series.cursor))).toEqual(new Set([cursor]));
    for (const job of jobs) await report(job, 1);
    const stream = await open({ after: cursor });
    expect(shown(await take(stream))).toEqual(['LIVE', '0:4', '1:3', '2:1']);
    await stream.return?.();
    const single = await jobStream(on().seed.domain, on().wakeups, {
      kind: 'metric',
      jobId: ids[1] ?? '',
      after: cursorOfJob(cursor, ids[1] ?? ''),
    });
    expect(shown(await take(single))).toEqual(['LIVE', '1:3']);
    await single.return?.();
  });

  test('continue from the cursor of one job, and replay a job that is added', async () => {
    await report(jobs[0], 2);
    await report(jobs[1], 2);
    const after = encodeCursor(on().seed.domain, { kind: 'metric', jobId: ids[0] ?? '', seq: 1 });
    const stream = await open({ after });
    expect(shown(await take(stream))).toEqual(['LIVE', '0:2', '1:1', '1:2']);
    await stream.return?.();
  });

  test('are filtered by name, and leave a job out that is deleted', async () => {
    await report(jobs[0], 1, 'loss');
    await report(jobs[0], 1, 'other');
    const stream = await open({ names: ['other'] });
    expect(shown(await take(stream))).toEqual(['LIVE', '0:2']);
    await complete(jobs[0]);
    await deleteJob(on().seed.domain, admin, { jobId: ids[0] ?? '' });
    const next = take(stream);
    await report(jobs[1], 1, 'other');
    expect(shown(await next)).toEqual(['LIVE', '1:1']);
    await stream.return?.();
  });

  test('are refused for a cursor of other jobs, and for one that was never issued', async () => {
    const other = await on().seed.createJob();
    const foreign = encodeCursor(on().seed.domain, { kind: 'metric', jobId: other.job.id, seq: 0 });
    const early = encodeCursor(on().seed.domain, { kind: 'metric', jobId: ids[0] ?? '', seq: 5 });
    const log = encodeCursor(on().seed.domain, { kind: 'log', jobId: ids[0] ?? '', seq: 0 });
    for (const after of [foreign, early, log, 'nonsense', ''])
      await expect(open({ after }), after).rejects.toThrow('this cursor was not returned');
  });
});
