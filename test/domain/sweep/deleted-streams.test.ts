/** The streams of deleted jobs: invisible to readers at once, deleted a little at a time. */
import { eq } from 'drizzle-orm';
import { expect, test } from 'vitest';
import { completeStep } from '../../../src/domain/claims/outcomes.ts';
import { appendLog, reportMetrics, reportTelemetry } from '../../../src/domain/claims/progress.ts';
import { encodeCursor, feed } from '../../../src/domain/core/cursors.ts';
import { defaultRetention } from '../../../src/domain/core/limits.ts';
import { cancelJob } from '../../../src/domain/jobs/cancellation.ts';
import { deleteProject } from '../../../src/domain/jobs/projects.ts';
import { deleteJob } from '../../../src/domain/jobs/update.ts';
import { applyRetention, removeDeleted } from '../../../src/domain/sweep/retention.ts';
import { feedStream, jobStream } from '../../../src/realtime/streams.ts';
import { jobStatusById } from '../../../src/store/queries/streams.ts';
import { describeOnGround } from '../../support/ground.ts';
import { admin, type SeededJob } from '../../support/seed.ts';

const DAY_MS = 86_400_000;
const CHUNK = 'one hundred bytes of a log'.padEnd(99, '.').concat('\n');

describeOnGround('The remaining stream entries of a deleted job or project', (on) => {
  /** An ended job with three times as many chunks and points as one step of the deletion takes. */
  async function endedJob(): Promise<SeededJob> {
    const { seed } = on();
    const job = await seed.createJob();
    const { token: leaseToken } = (await seed.claim(job, 0, undefined, 3_600)).lease;
    const chunks = Array.from({ length: 300 }, (_, i) => ({ offset: i * 100, text: CHUNK, stream: 'STDOUT' as const }));
    for (let i = 0; i < 300; i += 100) await appendLog(seed.domain, admin, { leaseToken, chunks: chunks.slice(i, i + 100) });
    for (let i = 0; i < 1_500; i += 500) {
      const metrics = Array.from({ length: 500 }, (_, n) => ({ name: 'loss', iteration: i + n, value: 1 }));
      await reportMetrics(seed.domain, admin, { leaseToken, metrics });
    }
    await reportTelemetry(seed.domain, admin, { leaseToken, samples: [{ cpu: 1, memoryMb: 1, at: seed.clock.now() }] });
    await completeStep(seed.domain, admin, { leaseToken });
    return job;
  }

  async function countLeft(jobId: string): Promise<Record<string, number>> {
    const { read, tables } = on().store;
    const { events, metricPoints, telemetrySamples, logChunks, streams } = tables;
    const counts = Object.entries({ events, metricPoints, telemetrySamples, logChunks, streams }).map(async ([name, table]) => [
      name,
      (await read.db.select({ jobId: table.jobId }).from(table).where(eq(table.jobId, jobId))).length,
    ]);
    return Object.fromEntries(await Promise.all(counts));
  }

  /** But for the event that tells of the deletion. */
  const nothingLeft = { events: 1, metricPoints: 0, telemetrySamples: 0, logChunks: 0, streams: 0 };

  test.each([
    ['job', (job: SeededJob) => deleteJob(on().seed.domain, admin, { jobId: job.job.id })],
    ['project', () => deleteProject(on().seed.domain, admin, { projectId: on().seed.project.id })],
  ])(
    'is gone for readers at once, and removed a little at a time, also after a %s was deleted and the removal cut off',
    async (_, remove) => {
      const { seed, wakeups } = on();
      const [job, other] = [await endedJob(), await endedJob()];
      const { id: jobId } = job.job;
      const feedCursor = encodeCursor(seed.domain, { ...feed, seq: 0 });
      await remove(job);
      // One transaction has not deleted everything.
      expect(await countLeft(jobId)).toMatchObject({ events: 1, metricPoints: 1_500, logChunks: 300, telemetrySamples: 1, streams: 3 });
      for (const kind of ['log', 'metric', 'telemetry', 'event'] as const)
        expect(await (await jobStream(seed.domain, wakeups, { kind, jobId })).next()).toEqual({ value: undefined, done: true });
      const stream = await feedStream(seed.domain, wakeups, admin, { filter: { projectId: seed.project.id }, after: feedCursor });
      const { value: frame } = await stream.next();
      expect(frame?.rows.filter((row) => row.jobId === jobId)).toMatchObject([
        { type: 'JOB_DELETED', seq: 6, description: 'A job', actor: 'user:admin', projectId: seed.project.id },
      ]);
      await stream.return?.();

      let [before, steps] = [await countLeft(jobId), 0];
      const pause = async () => {
        const now = await countLeft(jobId);
        for (const [name, atOnce] of [['metricPoints', 500] as const, ['logChunks', 100] as const])
          expect((before[name] ?? 0) - (now[name] ?? 0)).toBeLessThanOrEqual(atOnce);
        before = now;
        if (++steps === 3) throw new Error('cut off');
      };
      await expect(removeDeleted(seed.domain, pause)).rejects.toThrow('cut off');
      expect(before).not.toEqual(nothingLeft);
      await removeDeleted(seed.domain, pause);
      expect(await countLeft(jobId)).toEqual(nothingLeft);
      const isGone = (await seed.domain.store.read.run(jobStatusById, { id: other.job.id })).length === 0;
      expect(await countLeft(other.job.id)).toEqual(
        isGone ? nothingLeft : expect.objectContaining({ metricPoints: 1_500, logChunks: 300 }),
      );
    },
  );
});

describeOnGround('The event of a deleted job', (on) => {
  test('is kept as long as events of ended jobs, and then counted for readers of the feed (P8)', async () => {
    const { seed, wakeups } = on();
    const { domain, clock } = seed;
    const { db, t } = seed.domain.store.read;
    const { job } = await seed.createJob();
    await cancelJob(domain, admin, { jobId: job.id, cancelTimeoutSeconds: 0 });
    await deleteJob(domain, admin, { jobId: job.id });
    const positionOf = async () => (await db.select().from(t.events).where(eq(t.events.jobId, job.id)))[0]?.position ?? 0;
    // PostgreSQL gives events their positions a moment after the commit.
    while ((await positionOf()) <= 0) await new Promise(setImmediate);
    const position = await positionOf();
    const readFrom = async (seq: number) => {
      const after = encodeCursor(domain, { ...feed, seq });
      const stream = await feedStream(domain, wakeups, admin, { filter: { projectId: seed.project.id }, after });
      const { value: frame } = await stream.next();
      await stream.return?.();
      return [frame?.rows.map(({ type }) => type), frame?.missed];
    };
    const apply = () => applyRetention(domain, { ...defaultRetention, eventDays: 30 }, { pause: async () => {}, which: 'all' });
    clock.jump(29 * DAY_MS);
    await apply();
    expect(await readFrom(position - 1)).toEqual([['JOB_DELETED'], 0]);
    clock.jump(2 * DAY_MS);
    await apply();
    expect(await readFrom(position - 1)).toEqual([[], 1]);
    expect(await readFrom(position)).toEqual([[], 0]);
  });
});
