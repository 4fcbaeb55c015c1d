import { expect, test } from 'vitest';
import { chart } from '../../src/cli/output/chart.ts';

const points = (values: number[]) => new Map(values.map((value, index) => [index + 1, value]));

test('a chart has its highest value in the top row, its lowest in the bottom row, and x below', () => {
  const rows = chart([
    { name: 'rising', mark: '●', values: points([0, 1]) },
    { name: 'falling', mark: '○', values: points([1, 0]) },
  ]);
  expect(rows[0]?.trim()).toBe('● rising   ○ falling');
  expect(rows[1]).toBe('   1.000 ┤   ○   ●');
  expect(rows.at(-2)).toBe('   0.000 ┤   ●   ○');
  expect(rows.at(-1)).toBe('         └   1   2');
});

test('a chart of one value is one row, and a chart of none is empty', () => {
  expect(chart([{ name: 'one', mark: '●', values: points([0.5]) }])).toHaveLength(3);
  expect(chart([{ name: 'none', mark: '●', values: new Map() }])).toEqual([]);
});

test('a chart of many points stays within 82 columns', () => {
  const rows = chart([{ name: 'many', mark: '●', values: points(Array.from({ length: 1000 }, (_, x) => x)) }]);
  expect(Math.max(...rows.map((row) => row.length))).toBeLessThanOrEqual(82);
});
