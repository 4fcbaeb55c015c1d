/** Windows of curves, on each axis, of one job and of several. */
import { beforeAll, expect, test } from 'vitest';
import { reportMetrics } from '../../../src/domain/claims/progress.ts';
import { describeOnEachStore } from '../../support/databases.ts';
import { admin, plantSeed, type Seed, type SeededJob } from '../../support/seed.ts';
import { type Ask, askAs } from '../ask.ts';

const LENGTH = 3_000;
const SECONDS_APART = 2;
const MINUTE_MS = 60_000;

interface Series {
  name: string;
  job: { id: string };
  cursor: string;
  totalPoints: number;
  thinnedFrom: number;
  missed: number;
  min: number | null;
  max: number | null;
  last: { iteration: number | null; value: number } | null;
  points: { iteration: number | null; value: number; at: string }[];
}
const fields = 'name job { id } cursor totalPoints thinnedFrom missed min max last { iteration value } points { iteration value at }';

describeOnEachStore('the curves of a job', (open) => {
  let seed: Seed;
  let ask: Ask;
  let early: SeededJob;
  let late: SeededJob;
  let startedAt: number;

  const curves = async (args: string, job = early) =>
    (
      await ask<{ job: { metricCurves: Series[] } }>(`query ($id: ID!) { job(id: $id) { metricCurves(${args}) { ${fields} } } }`, {
        id: job.job.id,
      })
    ).job.metricCurves;
  const curve = async (args: string, job?: SeededJob): Promise<Series> => {
    const [only, ...others] = await curves(args, job);
    expect(others).toEqual([]);
    if (!only) throw new Error('There is no curve.');
    return only;
  };
  const compare = async (args: string) =>
    (await ask<{ compareMetric: Series[] }>(`{ compareMetric(name: "loss", ${args}) { ${fields} } }`)).compareMetric;
  const iterations = ({ points }: Series) => points.map(({ iteration }) => iteration);

  /** A job that reports a falling curve with one peak, a point every two seconds from its start. */
  async function train(peak: number): Promise<SeededJob> {
    const job = await seed.createJob(1);
    const { lease } = await seed.claim(job, 0, undefined, 3_600);
    const start = seed.clock.now().getTime();
    const loss = (iteration: number) => (iteration === peak ? 1_000 : 1 / (iteration + 1));
    for (let from = 0; from < LENGTH; from += 1_000) {
      const metrics = Array.from({ length: 1_000 }, (_, i) => from + i).map((iteration) => ({
        name: 'loss',
        iteration,
        value: loss(iteration),
        at: new Date(start + iteration * SECONDS_APART * 1_000),
      }));
      await reportMetrics(seed.domain, admin, { leaseToken: lease.token, metrics });
    }
    await reportMetrics(seed.domain, admin, {
      leaseToken: lease.token,
      metrics: [
        { name: 'accuracy', value: 0.5, iteration: 1 },
        { name: 'accuracy', value: 0.25 },
      ],
    });
    return job;
  }

  beforeAll(async () => {
    seed = await plantSeed(await open());
    ask = askAs(seed.domain, admin);
    startedAt = seed.clock.now().getTime();
    early = await train(1_234);
    seed.clock.stall(MINUTE_MS);
    late = await train(2_345);
  });

  test('are named in order, and all of them are read by default', async () => {
    const { job } = await ask<{ job: { metricNames: string[] } }>('query ($id: ID!) { job(id: $id) { metricNames } }', {
      id: early.job.id,
    });
    expect(job.metricNames).toEqual(['accuracy', 'loss']);
    const all = await curves('maxPoints: 5');
    expect(all.map(({ name, thinnedFrom }) => ({ name, thinnedFrom }))).toEqual([
      { name: 'accuracy', thinnedFrom: 2 },
      { name: 'loss', thinnedFrom: LENGTH },
    ]);
  });

  test('are read by name in the order given, also those that were never reported', async () => {
    const [loss, none, ...others] = await curves('names: ["loss", "none", "loss"], maxPoints: 4');
    expect(others).toEqual([]);
    expect(loss?.name).toBe('loss');
    expect(none).toMatchObject({ name: 'none', thinnedFrom: 0, totalPoints: 0, min: null, max: null, last: null, points: [] });
  });

  test('say what their points stand for, and lose no end and no peak', async () => {
    const loss = await curve('names: "loss", maxPoints: 100');
    expect(loss).toMatchObject({ totalPoints: LENGTH, thinnedFrom: LENGTH, missed: 0, max: 1_000, min: 1 / LENGTH });
    expect(loss.job.id).toBe(early.job.id);
    expect(loss.last).toEqual({ iteration: LENGTH - 1, value: 1 / LENGTH });
    expect(loss.points).toHaveLength(100);
    expect(iterations(loss)).toEqual(expect.arrayContaining([0, 1_234, LENGTH - 1]));
  });

  test.each([
    [1, [2_999]],
    [2, [1_234, 2_999]],
    [3, [1_234, 2_999]],
    [4, [0, 1_234, 2_999]],
  ])('keep the last point and then the highest, where only %d may stay', async (maxPoints, expected) => {
    const loss = await curve(`names: "loss", maxPoints: ${maxPoints}`);
    expect(iterations(loss)).toEqual(expect.arrayContaining(expected));
    expect(loss.points.length).toBeLessThanOrEqual(maxPoints);
  });

  test('are cut by iteration, with both ends', async () => {
    const loss = await curve('names: "loss", from: 1200, to: 1300.5');
    expect(iterations(loss)).toEqual(Array.from({ length: 101 }, (_, i) => 1_200 + i));
    expect(loss).toMatchObject({ thinnedFrom: 101, totalPoints: LENGTH, max: 1_000, last: { iteration: 1_300 } });
    expect(iterations(await curve('names: "loss", from: 2990'))).toEqual(Array.from({ length: 10 }, (_, i) => 2_990 + i));
    expect(await curve('names: "loss", from: 1e300')).toMatchObject({ thinnedFrom: 0, points: [], last: null });
    expect(await curve('names: "loss", to: -1e300')).toMatchObject({ thinnedFrom: 0, points: [], last: null });
  });

  test('have points without an iteration at their end, and not in a window that has an end', async () => {
    expect(iterations(await curve('names: "accuracy"'))).toEqual([1, null]);
    expect(iterations(await curve('names: "accuracy", from: 2'))).toEqual([null]);
    expect(iterations(await curve('names: "accuracy", to: 2'))).toEqual([1]);
  });

  test('are cut by time and by the time since the start of their job', async () => {
    const second = startedAt / 1_000;
    const byTime = await curve(`names: "loss", x: TIME, from: ${second + 100}, to: ${second + 110}`);
    expect(iterations(byTime)).toEqual([50, 51, 52, 53, 54, 55]);
    const elapsed = await curve('names: "loss", x: ELAPSED, from: 100, to: 110', late);
    expect(iterations(elapsed)).toEqual([50, 51, 52, 53, 54, 55]);
    expect(elapsed.points[0]?.at).toBe(new Date(startedAt + MINUTE_MS + 100_000).toISOString());
  });

  test('of several jobs are compared in the order of the jobs, each once', async () => {
    const [ofLate, ofEarly, ...others] = await compare(
      `jobIds: ["${late.job.id}", "${early.job.id}", "${late.job.id}"], x: ELAPSED, from: 0, to: 10`,
    );
    expect(others).toEqual([]);
    expect([ofLate?.job.id, ofEarly?.job.id]).toEqual([late.job.id, early.job.id]);
    expect(ofLate?.points).toHaveLength(6);
    expect(ofEarly?.points.map(({ value }) => value)).toEqual(ofLate?.points.map(({ value }) => value));
    expect(await compare('jobIds: []')).toEqual([]);
  });

  test('are refused with the argument that is wrong', async () => {
    const refusals = {
      'names: ["loss", ""]': 'BAD_REQUEST: names: an entry is empty.',
      [`names: ${JSON.stringify(Array.from({ length: 101 }, (_, i) => `m${i}`))}`]: 'BAD_REQUEST: names: at most 100 entries.',
      'from: 5, to: 4.5': 'BAD_REQUEST: from must not be larger than to; got from 5 to 4.5.',
      'maxPoints: 0': 'BAD_REQUEST: maxPoints must be from 1 to 10000; got 0.',
      'maxPoints: 10001': 'BAD_REQUEST: maxPoints must be from 1 to 10000; got 10001.',
      'from: NaN': 'Float cannot represent non numeric value: NaN',
    };
    for (const [args, message] of Object.entries(refusals)) await expect(curves(args), args).rejects.toThrow(message);
    const compared = {
      'jobIds: ["job_none"]': 'BAD_REQUEST: jobIds: there is no job job_none.',
      [`jobIds: ${JSON.stringify(Array.from({ length: 51 }, () => early.job.id))}`]: 'BAD_REQUEST: jobIds: at most 50 entries.',
      [`jobIds: "${early.job.id}", from: 1, to: 0`]: 'BAD_REQUEST: from must not be larger than to; got from 1 to 0.',
      [`jobIds: "${early.job.id}", maxPoints: -1`]: 'BAD_REQUEST: maxPoints must be from 1 to 10000; got -1.',
    };
    for (const [args, message] of Object.entries(compared)) await expect(compare(args), args).rejects.toThrow(message);
    await expect(ask(`{ compareMetric(name: "", jobIds: "${early.job.id}") { name } }`)).rejects.toThrow(
      'BAD_REQUEST: name must not be empty.',
    );
  });

  test('of all names are refused for a job with more than 100 metrics', async () => {
    const job = await seed.createJob(1);
    const { lease } = await seed.claim(job, 0);
    const metrics = Array.from({ length: 101 }, (_, i) => ({ name: `m${i}`, value: i }));
    await reportMetrics(seed.domain, admin, { leaseToken: lease.token, metrics });
    await expect(curves('maxPoints: 5', job)).rejects.toThrow('LIMIT_EXCEEDED: This job has more than 100 metrics.');
    expect(await curve('names: "m100"', job)).toMatchObject({ last: { value: 100 } });
  });
});
