import { describe, expect, test } from 'vitest';
import { extremes, thin } from '../../../src/store/queries/thinning.ts';
import { pickNumber, seedRandom } from '../../support/random.ts';

interface Row {
  readonly x: number;
  readonly y: number;
  readonly z: number | null;
}
const drawing = { x: ({ x }: Row) => x, curves: [({ y }: Row) => y, ({ z }: Row) => z] };
const curve = (length: number, y: (x: number) => number, z: (x: number) => number | null = () => null): Row[] =>
  Array.from({ length }, (_, x) => ({ x, y: y(x), z: z(x) }));

describe('a thinned curve', () => {
  test('has exactly the allowed number of points, from the first to the last, in order', () => {
    const random = seedRandom('thin');
    for (let i = 0; i < 50; i++) {
      const rows = curve(1 + pickNumber(random, 400), () => pickNumber(random, 100));
      const most = 1 + pickNumber(random, 120);
      const thinned = thin(rows, most, drawing);
      expect(thinned).toHaveLength(Math.min(most, rows.length));
      expect(thinned.at(-1)).toBe(rows.at(-1));
      if (most > 1) expect(thinned[0]).toBe(rows[0]);
      const places = thinned.map(({ x }) => x);
      expect(places).toEqual([...new Set(places)].sort((a, b) => a - b));
    }
  });

  test('keeps a single peak wherever it stands', () => {
    for (const peak of [1, 137, 500, 998]) {
      const thinned = thin(
        curve(1_000, (x) => (x === peak ? 1 : 0)),
        20,
        drawing,
      );
      expect(thinned.map(({ x }) => x)).toContain(peak);
    }
  });

  test('keeps the peaks of every curve that a row has, however different their sizes are', () => {
    const rows = curve(
      1_000,
      (x) => (x === 250 ? 1 : 0),
      (x) => (x === 750 ? 1e9 : x % 2 ? null : 5e8),
    );
    const places = thin(rows, 20, drawing).map(({ x }) => x);
    expect(places).toEqual(expect.arrayContaining([250, 750]));
  });

  test('follows the original curve', () => {
    const wave = (x: number) => Math.sin(x / 100) * 10;
    const thinned = thin(curve(5_000, wave), 200, drawing);
    const furthest = thinned.slice(1).map(({ x, y }, i) => {
      const before = thinned[i] ?? { x: 0, y: 0 };
      const middle = (before.x + x) / 2;
      return Math.abs((before.y + y) / 2 - wave(middle));
    });
    expect(Math.max(...furthest)).toBeLessThan(0.5);
  });

  test('of an empty curve is empty', () => {
    expect(thin<Row>([], 10, drawing)).toEqual([]);
  });
});

test('the extremes of a range are the lowest and the highest of each curve, with both ends', () => {
  const rows = curve(
    100,
    (x) => (x === 20 ? 9 : x === 30 ? -9 : 0),
    (x) => (x === 40 ? 7 : x < 50 ? 6 : null),
  );
  expect(extremes(rows, drawing).map(({ x }) => x)).toEqual(expect.arrayContaining([0, 20, 30, 40, 99]));
  expect(extremes(rows, drawing).length).toBeLessThanOrEqual(6);
});
