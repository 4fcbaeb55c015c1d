import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addPoint, align, type Curve, type CurveWindow, positive, readCurve, smooth } from '../../src/console/curves/curve.ts';
import { compareSettings, sharedMetrics } from '../../src/console/curves/settings.ts';

const series = {
  ...{ name: 'loss', job: { id: 'job_1', startedAt: '2026-01-01T00:00:10.000Z' }, min: 1, max: 3, last: { value: 3 } },
  ...{ thinnedFrom: 1_000, totalPoints: 2_000, missed: 0, cursor: 'c' },
};
const byIteration: CurveWindow = { axis: 'ITERATION', from: null, to: null };
const curveOf = (x: number[], y: number[]): Curve => ({
  ...{ jobId: 'job_1', startedAt: null, x, y, min: Math.min(...y), max: Math.max(...y), last: y.at(-1) ?? null },
  ...{ points: x.length, total: x.length, missed: 0, unplaced: 0 },
});

describe('A curve', () => {
  test('has its points on the axis that was asked for, and says which have no place on it', () => {
    const points = [
      { i: 1, v: 1 },
      { i: null, v: 2 },
    ];
    expect(readCurve({ ...series, points }, 'ITERATION')).toMatchObject({ x: [1], y: [1], unplaced: 1, points: 1_000, total: 2_000 });
    const timed = [{ t: '2026-01-01T00:00:12.500Z', v: 1 }];
    expect(readCurve({ ...series, points: timed }, 'ELAPSED').x).toEqual([2.5]);
    expect(readCurve({ ...series, points: timed }, 'TIME').x).toEqual([1_767_225_612.5]);
  });

  test('takes a later point at its place, also when another attempt goes back', () => {
    const curve = curveOf([1, 2, 3], [1, 2, 3]);
    addPoint(curve, { iteration: 2, at: '', value: 9 }, byIteration);
    addPoint(curve, { iteration: 4, at: '', value: -1 }, byIteration);
    expect(curve).toMatchObject({ x: [1, 2, 2, 3, 4], y: [1, 2, 9, 3, -1], min: -1, max: 9, last: -1, points: 5 });
  });

  test('counts a later point outside of its window, but does not show it', () => {
    const curve = curveOf([1, 2], [1, 2]);
    addPoint(curve, { iteration: 7, at: '', value: 9 }, { axis: 'ITERATION', from: 0, to: 5 });
    expect(curve).toMatchObject({ x: [1, 2], max: 2, points: 2, total: 3 });
  });
});

describe('A smoothed curve', () => {
  test('stays between the lowest and the highest value, and begins with the first', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { minLength: 1 }),
        fc.double({ min: 0, max: 0.99, noNaN: true }),
        (values, weight) => {
          const smoothed = smooth(values, weight);
          const slack = 1e-6;
          expect(smoothed[0]).toBeCloseTo(values[0] ?? 0, 3);
          for (const value of smoothed) {
            expect(value).toBeGreaterThanOrEqual(Math.min(...values) - slack);
            expect(value).toBeLessThanOrEqual(Math.max(...values) + slack);
          }
        },
      ),
    );
  });

  test('is the curve itself without smoothing', () => {
    expect(smooth([3, 1, 2], 0)).toEqual([3, 1, 2]);
  });
});

test('curves on a common axis keep every point, also several at one place', () => {
  const curve = fc.array(fc.tuple(fc.nat(20), fc.integer()), { maxLength: 30 }).map((points) => {
    const sorted = points.sort(([a], [b]) => a - b);
    return { x: sorted.map(([x]) => x), y: sorted.map(([, y]) => y) };
  });
  fc.assert(
    fc.property(fc.array(curve, { minLength: 2, maxLength: 5 }), (curves) => {
      const [x, ...columns] = align(curves);
      expect(x).toEqual([...x].sort((a, b) => a - b));
      for (const [index, { x: places, y }] of curves.entries()) {
        const rows = (columns[index] ?? []).map((value, row) => [x[row], value]).filter(([, value]) => value !== null);
        expect(rows).toEqual(places.map((place, at) => [place, y[at]]));
      }
    }),
  );
});

test('a logarithmic scale leaves out what it cannot show', () => {
  expect(positive([1, 0, -1, null, 2])).toEqual([1, null, null, null, 2]);
});

describe('Compared jobs', () => {
  const job = (settings: Record<string, unknown>, ...metrics: string[]) => ({
    ...{ settings, owner: 'user:a', application: null, labels: [], metrics: metrics.map((name) => ({ name })) },
  });

  test('show the settings that differ first, by dot paths', () => {
    const rows = compareSettings([job({ a: 1, model: { width: 1 } }), job({ a: 1, model: { width: 2 }, only: [1] })]);
    expect(rows).toEqual([
      { name: 'model.width', values: ['1', '2'], differs: true },
      { name: 'only', values: [undefined, '[1]'], differs: true },
      { name: 'a', values: ['1', '1'], differs: false },
      { name: 'owner', values: ['user:a', 'user:a'], differs: false },
    ]);
  });

  test('show the metrics that most of them have first', () => {
    expect(sharedMetrics([job({}, 'a', 'z'), job({}, 'z'), job({}, 'b', 'z')])).toEqual(['z', 'a', 'b']);
  });
});
