/** Entries past retention are deleted, and readers learn of it, exactly and once (P8). */
import { asc, eq } from 'drizzle-orm';
import { beforeEach, expect, test } from 'vitest';
import { completeStep } from '../../../src/domain/claims/outcomes.ts';
import { appendLog, reportMetrics, reportTelemetry } from '../../../src/domain/claims/progress.ts';
import { encodeCursor, feed } from '../../../src/domain/core/cursors.ts';
import { defaultRetention, type RetentionRules } from '../../../src/domain/core/limits.ts';
import type { StreamKind } from '../../../src/domain/core/vocabulary.ts';
import { applyRetention } from '../../../src/domain/sweep/retention.ts';
import { type Frame, feedStream, type JobStream, jobStream } from '../../../src/realtime/streams.ts';
import { byIteration } from '../../../src/store/queries/buckets.ts';
import { countGaps } from '../../../src/store/queries/gaps.ts';
import { readLogTail } from '../../../src/store/queries/logs.ts';
import { readCurves } from '../../../src/store/queries/metric-curves.ts';
import { describeOnGround, refusalOf } from '../../support/ground.ts';
import { pickNumber, seedRandom } from '../../support/random.ts';
import { admin, type SeededJob } from '../../support/seed.ts';

const DAY_MS = 86_400_000;
const CHUNK = 'one hundred bytes of a log'.padEnd(99, '.').concat('\n');
const nothing: RetentionRules = { ...defaultRetention, logBytes: null, thinTelemetryDays: null };

describeOnGround('Retention', (on) => {
  let job: SeededJob;
  let leaseToken: string;
  let logged: number;
  let reported: number;
  beforeEach(async () => {
    const { seed } = on();
    job = await seed.createJob();
    leaseToken = (await seed.claim(job, 0, undefined, 3_600)).lease.token;
    logged = 0;
    reported = 0;
  });

  const apply = (rules: Partial<RetentionRules>, pause: () => Promise<void> = async () => {}) =>
    applyRetention(on().seed.domain, { ...nothing, ...rules }, { pause, which: 'all' });
  const complete = () => completeStep(on().seed.domain, admin, { leaseToken });
  async function log(chunks: number): Promise<void> {
    const input = Array.from({ length: chunks }, (_, i) => ({ offset: (logged + i) * 100, text: CHUNK, stream: 'STDOUT' as const }));
    logged += chunks;
    await appendLog(on().seed.domain, admin, { leaseToken, chunks: input });
  }
  /** Points of two curves, one with a spike at `spike`. */
  async function report(points: number, { spike = -1, daysAgo = 0 } = {}): Promise<void> {
    const at = new Date(on().seed.clock.now().getTime() - daysAgo * DAY_MS);
    const metrics = Array.from({ length: points }, (_, i) => reported + i).flatMap((iteration) => [
      { name: 'loss', iteration, value: iteration === spike ? 99 : 1 / (iteration + 1), at },
      { name: 'flat', iteration, value: 5, at },
    ]);
    reported += points;
    await reportMetrics(on().seed.domain, admin, { leaseToken, metrics });
  }
  /** Samples from the start of a minute. */
  async function sample(count: number, { secondsApart = 1, daysAgo = 0 } = {}): Promise<void> {
    const { clock, domain } = on().seed;
    const start = Math.floor(clock.now().getTime() / 60_000) * 60_000 - daysAgo * DAY_MS;
    const samples = Array.from({ length: count }, (_, i) => ({ cpu: 1, memoryMb: i % 7, at: new Date(start + i * secondsApart * 1_000) }));
    await reportTelemetry(domain, admin, { leaseToken, samples });
  }

  const cursorAt = (kind: StreamKind, seq: number) => encodeCursor(on().seed.domain, { kind, jobId: job.job.id, seq });
  /**
   * Reads an ended stream to its end. Returns the numbers of the entries, and how many are missing.
   */
  async function readAll<K extends StreamKind>(of: Partial<JobStream<K>> & { kind: K }) {
    const { seed, wakeups } = on();
    const seqs: number[] = [];
    let missed = 0;
    for await (const frame of await jobStream(seed.domain, wakeups, { jobId: job.job.id, ...of })) {
      missed += frame.missed;
      seqs.push(...frame.rows.map(({ seq }) => seq));
    }
    return { seqs, missed };
  }
  async function feedFrom(after: number, projectId = on().seed.project.id) {
    const { seed, wakeups } = on();
    const stream = await feedStream(seed.domain, wakeups, admin, {
      filter: { projectId },
      after: encodeCursor(seed.domain, { ...feed, seq: after }),
    });
    const positions: number[] = [];
    let missed = 0;
    for (let isLive = false; !isLive; ) {
      const { value: frame } = await stream.next();
      if (!frame) break;
      missed += frame.missed;
      positions.push(...frame.rows.map(({ position }) => position));
      isLive = frame.state === 'LIVE';
    }
    await stream.return?.();
    return { positions, missed };
  }
  async function placesOfJob(jobId: string): Promise<number[]> {
    const { db, t } = on().store.read;
    for (;;) {
      const places = (await db.select({ position: t.events.position }).from(t.events).where(eq(t.events.jobId, jobId))).map(
        ({ position }) => position,
      );
      // PostgreSQL gives events their positions a moment after the commit.
      if (places.every((position) => position > 0)) return places.sort((a, b) => a - b);
      await new Promise(setImmediate);
    }
  }

  test('does not count a jump of the clock as time that has passed (P13)', async () => {
    const { clock, domain } = on().seed;
    await log(3);
    await complete();
    domain.clockGuard.begin();
    try {
      clock.jump(40 * DAY_MS);
      await apply({ logDays: 30 });
      expect(await readAll({ kind: 'log' })).toMatchObject({ missed: 0 });
      clock.stall(31 * DAY_MS);
      await apply({ logDays: 30 });
      expect(await readAll({ kind: 'log' })).toMatchObject({ seqs: [], missed: 3 });
    } finally {
      domain.clockGuard.end();
    }
  });

  test('by default removes nothing of a curve, an event or a log of usual size, however old', async () => {
    await log(3);
    await report(50);
    await complete();
    on().seed.clock.jump(400 * DAY_MS);
    const before = await on().readAll();
    await applyRetention(on().seed.domain, defaultRetention, { pause: async () => {}, which: 'all' });
    const { streams: streamsBefore, ...rest } = before;
    const { streams, ...restAfter } = await on().readAll();
    expect(restAfter).toEqual(rest);
    expect(streams?.length).toBe(streamsBefore?.length);
  });

  test('of each kind deletes entries of jobs that ended long enough ago, and counts them for readers at any position (P8)', async () => {
    await log(250);
    await report(300);
    await sample(40);
    await complete();
    await placesOfJob(job.job.id);
    const { clock } = on().seed;
    clock.jump(10 * DAY_MS);
    const lasts = { log: 250, metric: 600, telemetry: 40, event: (await on().seed.readEvents(job.job.id)).length };
    await apply({ logDays: 11, metricDays: 11, telemetryDays: 11, eventDays: 11 });
    expect(await readAll({ kind: 'log' })).toMatchObject({ missed: 0 });
    await apply({ logDays: 9, metricDays: 9, telemetryDays: 9, eventDays: 9 });
    for (const kind of ['log', 'metric', 'telemetry', 'event'] as const) {
      expect(await readAll({ kind }), kind).toEqual({ seqs: [], missed: lasts[kind] });
      for (const from of [1, Math.floor(lasts[kind] / 2), lasts[kind]])
        expect(await readAll({ kind, after: cursorAt(kind, from) }), `${kind} after ${from}`).toEqual({
          seqs: [],
          missed: lasts[kind] - from,
        });
      expect(await refusalOf(readAll({ kind, after: cursorAt(kind, lasts[kind] + 1) }))).toMatchObject({ code: 'BAD_REQUEST' });
    }
    expect(await readAll({ kind: 'log', stepNumber: 0 })).toEqual({ seqs: [], missed: 250 });
    // Running it again deletes nothing more.
    await apply({ logDays: 9, metricDays: 9, telemetryDays: 9, eventDays: 9 });
    expect(await readAll({ kind: 'metric' })).toEqual({ seqs: [], missed: 600 });
  });

  test('keeps the newest bytes of the log of a running job, with unchanged offsets (P8)', async () => {
    await log(1_000);
    await apply({ logBytes: 70_000 });
    await log(5);
    const tail = await readLogTail(on().store.read, { jobId: job.job.id, stepNumber: 0, lines: 10_000, mostCharacters: 1_000_000 });
    expect(tail).toBe(CHUNK.repeat(705));
    await complete();
    const whole = await readAll({ kind: 'log' });
    expect(whole.missed).toBe(300);
    expect(whole.seqs).toEqual(Array.from({ length: 705 }, (_, i) => 301 + i));
    expect(await readAll({ kind: 'log', after: cursorAt('log', 120) })).toMatchObject({ missed: 180 });
    expect(await readAll({ kind: 'log', after: cursorAt('log', 400) })).toMatchObject({ missed: 0 });
    const { db, t } = on().store.read;
    const [first] = await db.select().from(t.logChunks).where(eq(t.logChunks.jobId, job.job.id)).orderBy(asc(t.logChunks.seq)).limit(1);
    expect(first?.offset).toBe(30_000);
    expect((await on().seed.readSteps(job.job.id))[0]?.logSize).toBe(100_500);
  });

  test('thins a curve so that its ends, its spike and its newest value stay, and reports how many points are gone (P8)', async () => {
    for (let i = 0; i < 8; i++) await report(400, { spike: 1_234, daysAgo: 5 });
    await report(10);
    await apply({ thinMetricDays: 3, metricsOneOf: 10 });
    const { read } = on().store;
    const window = { axis: byIteration, from: null, to: null };
    const [curve] = await readCurves(read, { jobId: job.job.id, names: ['loss'], window, most: 10_000 });
    const points = curve?.points ?? [];
    const total = curve?.count ?? 0;
    const [first, last] = [points[0], points.at(-1)];
    expect([first?.iteration, last?.iteration]).toEqual([0, 3_209]);
    expect(points.find(({ value }) => value === 99)?.iteration).toBe(1_234);
    // Young points are not thinned.
    expect(points.slice(-10).map(({ iteration }) => iteration)).toEqual(Array.from({ length: 10 }, (_, i) => 3_200 + i));
    expect(total).toBeGreaterThan(300);
    expect(total).toBeLessThan(600);
    const latest = await read.db.select().from(read.t.latestMetrics).where(eq(read.t.latestMetrics.jobId, job.job.id));
    expect(latest.find(({ name }) => name === 'loss')).toMatchObject({ iteration: 3_209, removed: 3_210 - total });

    await complete();
    const whole = await readAll({ kind: 'metric' });
    expect(whole.seqs.length + whole.missed).toBe(6_420);
    const random = seedRandom('places in a thinned stream');
    for (let i = 0; i < 30; i++) {
      const from = pickNumber(random, 6_421);
      const seqs = whole.seqs.filter((seq) => seq > from);
      expect(await readAll({ kind: 'metric', after: cursorAt('metric', from) })).toEqual({ seqs, missed: 6_420 - from - seqs.length });
    }
    expect((await readAll({ kind: 'metric', names: ['loss'] })).missed).toBe(whole.missed);
    // A second run finds nothing to thin, and older points are counted correctly.
    await apply({ thinMetricDays: 3, metricsOneOf: 10 });
    expect(await readAll({ kind: 'metric' })).toEqual(whole);
    on().seed.clock.jump(20 * DAY_MS);
    await apply({ metricDays: 10 });
    expect(await readAll({ kind: 'metric' })).toEqual({ seqs: [], missed: 6_420 });
    expect(await readAll({ kind: 'metric', after: cursorAt('metric', 6_000) })).toEqual({ seqs: [], missed: 420 });
  });

  test('thins telemetry to the sample of each minute that has the most memory, and keeps the newest', async () => {
    await sample(600, { secondsApart: 3, daysAgo: 2 });
    await apply({ thinTelemetryDays: 1 });
    const { db, t } = on().store.read;
    const rows = await db
      .select()
      .from(t.telemetrySamples)
      .where(eq(t.telemetrySamples.jobId, job.job.id))
      .orderBy(asc(t.telemetrySamples.seq));
    const minutes = Map.groupBy(rows, ({ at }) => Math.floor(at.getTime() / 60_000));
    expect(minutes.size).toBe(30);
    expect(rows.at(-1)?.seq).toBe(600);
    for (const [i, kept] of [...minutes.values()].entries()) {
      expect(kept[0]?.memoryMb).toBe(6);
      expect(kept).toHaveLength(i === 29 ? 2 : 1);
    }
    await complete();
    expect(await readAll({ kind: 'telemetry' })).toEqual({ seqs: rows.map(({ seq }) => seq), missed: 569 });
  });

  test('leaves the feed across jobs with an exact count, for each project and from any position (P8)', async () => {
    const { seed, store } = on();
    await complete();
    const running = await seed.createJob();
    const others: SeededJob[] = [];
    for (let i = 0; i < 20; i++) {
      const other = await seed.createJob();
      const { lease } = await seed.claim(other);
      await completeStep(seed.domain, admin, { leaseToken: lease.token });
      others.push(other);
    }
    const places = { gone: [] as number[], kept: [] as number[] };
    for (const { job: other } of [job, ...others]) places.gone.push(...(await placesOfJob(other.id)));
    places.kept.push(...(await placesOfJob(running.job.id)));
    seed.clock.jump(10 * DAY_MS);
    const fresh = await seed.createJob();
    places.kept.push(...(await placesOfJob(fresh.job.id)));
    await apply({ eventDays: 9 });
    const from = Math.min(...places.gone) - 1;
    expect(await feedFrom(from)).toEqual({ positions: places.kept, missed: places.gone.length });
    for (const after of [...places.gone, ...places.kept]) {
      const expected = { positions: places.kept.filter((at) => at > after), missed: places.gone.filter((at) => at > after).length };
      expect(await feedFrom(after), `after ${after}`).toEqual(expected);
    }
    expect(await countGaps(store.read, { projectId: 'proj_of_no_one', after: 0, upTo: 1e9 })).toBe(0);
    // If everything after a position is gone, it is reported once: the next cursor is behind it.
    const newest = Math.max(...places.kept);
    expect(await feedFrom(newest)).toEqual({ positions: [], missed: 0 });
  });

  test('that runs while a subscriber reads leaves it rows or a count, never a gap (P8)', async () => {
    const { seed, wakeups } = on();
    for (let i = 0; i < 10; i++) await report(100, { spike: 333 });
    await log(800);
    await complete();
    await placesOfJob(job.job.id);
    seed.clock.jump(10 * DAY_MS);
    const random = seedRandom('interleaved');
    const totals = { log: 800, metric: 2_000 };
    // Each reader reads a frame when a step of retention lets it: early, late, or between two
    // steps.
    let isOver = false;
    const waiting = new Set<() => void>();
    const myTurn = () => (isOver ? Promise.resolve() : new Promise<void>((resolve) => waiting.add(resolve)));
    const letSome = (portion: number) => {
      for (const go of [...waiting]) {
        if (pickNumber(random, 100) >= portion) continue;
        waiting.delete(go);
        go();
      }
    };
    const read = async (kind: 'log' | 'metric') => {
      let [cursor, seen, missed, last]: [string | null, number, number, number] = [null, 0, 0, 0];
      for (let isEnded = false; !isEnded; ) {
        const stream: AsyncIterator<Frame<{ readonly seq: number }>, undefined> = await jobStream(seed.domain, wakeups, {
          kind,
          jobId: job.job.id,
          after: cursor,
        });
        for (let left = 1 + pickNumber(random, 3); left > 0 && !isEnded; left--) {
          await myTurn();
          const { value: frame } = await stream.next();
          if (!frame) throw new Error('A stream ends with a frame that says so.');
          for (const { seq } of frame.rows) {
            expect(seq).toBeGreaterThan(last);
            last = seq;
          }
          seen += frame.rows.length;
          missed += frame.missed;
          cursor = frame.cursor;
          isEnded = frame.state === 'ENDED';
        }
        await stream.return?.();
      }
      expect([kind, seen + missed]).toEqual([kind, totals[kind]]);
      return [seen, missed] as const;
    };
    const readers = Promise.all((['log', 'metric'] as const).flatMap((kind) => Array.from({ length: 12 }, () => read(kind))));
    const pause = async () => {
      letSome(30);
      for (let turns = pickNumber(random, 4); turns > 0; turns--) await new Promise(setImmediate);
    };
    for (const rules of [{ logBytes: 65_000, thinMetricDays: 3 }, { logDays: 9 }, { metricDays: 9 }]) await apply(rules, pause);
    isOver = true;
    letSome(100);
    const outcomes = await readers;
    expect(outcomes.filter(([seen, missed]) => seen > 0 && missed > 0).length).toBeGreaterThan(3);
  });

  test('that is interrupted between two steps is continued by the next run', async () => {
    for (let i = 0; i < 5; i++) await log(200);
    await complete();
    on().seed.clock.jump(10 * DAY_MS);
    let steps = 0;
    const cutOff = apply({ logDays: 9 }, async () => {
      if (++steps === 3) throw new Error('cut off');
    });
    await expect(cutOff).rejects.toThrow('cut off');
    const half = await readAll({ kind: 'log' });
    expect(half.missed).toBeGreaterThan(0);
    expect(half.seqs.length).toBeGreaterThan(0);
    expect(half.seqs.length + half.missed).toBe(1_000);
    await apply({ logDays: 9 });
    expect(await readAll({ kind: 'log' })).toEqual({ seqs: [], missed: 1_000 });
  });
});
