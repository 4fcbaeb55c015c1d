import { beforeAll, expect, test } from 'vitest';
import { reportMetrics, reportTelemetry } from '../../../src/domain/claims/progress.ts';
import { describeOnEachStore } from '../../support/databases.ts';
import { admin, plantSeed, type Seed, type SeededJob } from '../../support/seed.ts';
import { type Ask, askAs } from '../ask.ts';

const LENGTH = 25_000;
const PEAK = 12_345;

interface Series {
  totalPoints: number;
  points: { iteration: number | null; value: number }[];
}

describeOnEachStore('a long curve', (open) => {
  let seed: Seed;
  let ask: Ask;
  let job: SeededJob;
  const series = async (name: string, maxPoints?: number) =>
    (
      await ask<{ job: { metricSeries: Series } }>(
        'query ($id: ID!, $name: String!, $maxPoints: Int) { job(id: $id) { metricSeries(name: $name, maxPoints: $maxPoints) { totalPoints points { iteration value } } } }',
        { id: job.job.id, name, maxPoints: maxPoints ?? null },
      )
    ).job.metricSeries;

  beforeAll(async () => {
    seed = await plantSeed(await open());
    ask = askAs(seed.domain, admin);
    job = await seed.createJob(1);
    const { lease } = await seed.claim(job, 0, undefined, 3_600);
    const leaseToken = lease.token;
    for (let from = 0; from < LENGTH; from += 1_000) {
      const iterations = Array.from({ length: 1_000 }, (_, i) => from + i);
      await reportMetrics(seed.domain, admin, {
        leaseToken,
        metrics: iterations.map((iteration) => ({ name: 'loss', iteration, value: iteration === PEAK ? 1_000 : 1 / (iteration + 1) })),
      });
    }
    const start = Date.UTC(2026, 0, 1);
    for (let from = 0; from < 3_000; from += 1_000) {
      await reportTelemetry(seed.domain, admin, {
        leaseToken,
        samples: Array.from({ length: 1_000 }, (_, i) => ({
          at: new Date(start + (from + i) * 2_000),
          cpu: from + i === 777 ? 8 : 1,
          memoryMb: from + i === 2_222 ? 64_000 : 1_000,
        })),
      });
    }
    await reportMetrics(seed.domain, admin, {
      leaseToken,
      metrics: [
        { name: 'mixed', value: 1 },
        { name: 'mixed', value: 2, iteration: 7 },
        { name: 'mixed', value: 3 },
        { name: 'mixed', value: 4, iteration: 3 },
      ],
    });
  });

  test('is thinned to the requested number of points and keeps its peak', async () => {
    const { totalPoints, points } = await series('loss', 500);
    expect(totalPoints).toBe(LENGTH);
    expect(points).toHaveLength(500);
    expect(points[0]?.iteration).toBe(0);
    expect(points.at(-1)?.iteration).toBe(LENGTH - 1);
    expect(points).toContainEqual({ iteration: PEAK, value: 1_000 });
    const iterations = points.map(({ iteration }) => iteration ?? -1);
    expect(iterations).toEqual([...iterations].sort((a, b) => a - b));
  });

  test('is thinned to 10,000 points by default', async () => {
    expect((await series('loss')).points).toHaveLength(10_000);
  });

  test('has points without an iteration last, in the order of their reports', async () => {
    const { points } = await series('mixed');
    expect(points).toEqual([
      { iteration: 3, value: 4 },
      { iteration: 7, value: 2 },
      { iteration: null, value: 1 },
      { iteration: null, value: 3 },
    ]);
  });

  test('of telemetry keeps the peaks of each of its values, within the requested time', async () => {
    const telemetry = async (args: string) =>
      (
        await ask<{ job: { telemetry: { at: string; cpu: number; memoryMb: number }[] } }>(
          `query ($id: ID!) { job(id: $id) { telemetry(${args}) { at cpu memoryMb } } }`,
          { id: job.job.id },
        )
      ).job.telemetry;
    const samples = await telemetry('maxPoints: 50');
    expect(samples).toHaveLength(50);
    expect(Math.max(...samples.map(({ cpu }) => cpu))).toBe(8);
    expect(Math.max(...samples.map(({ memoryMb }) => memoryMb))).toBe(64_000);
    const minute = await telemetry('from: "2026-01-01T00:10:00Z", to: "2026-01-01T00:11:00Z"');
    expect(minute).toHaveLength(30);
    expect(minute[0]?.at).toBe('2026-01-01T00:10:00.000Z');
  });

  test('is refused if it asks for more points than a page may have', async () => {
    for (const maxPoints of [0, 10_001]) await expect(series('loss', maxPoints)).rejects.toThrow(/BAD_REQUEST: maxPoints/);
  });
});
