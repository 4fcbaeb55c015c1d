import { expect, test } from 'vitest';
import { isoText } from '../../../src/schema/core/iso.ts';
import { pickNumber, seedRandom } from '../../support/random.ts';

test('the text of a time is the one that JavaScript gives, whatever times came before', () => {
  const random = seedRandom('moments');
  const edges = [0, -1, 1, 86_399_999, 86_400_000, -86_400_000, Date.UTC(2024, 1, 29, 23, 59, 59, 999), 8.64e15, -8.64e15];
  const years = [Date.parse('0001-01-01T00:00:00.000Z'), Date.parse('9999-12-31T23:59:59.999Z'), Date.parse('+010000-01-01T00:00:00.000Z')];
  const anywhere = Array.from({ length: 20_000 }, () => pickNumber(random, 6e14) - 3e14);
  const withinDays = Array.from({ length: 20_000 }, () => Date.UTC(2026, 10, 21) + pickNumber(random, 3 * 86_400_000));
  for (const time of [...edges, ...years, ...anywhere, ...withinDays]) {
    const moment = new Date(time);
    expect(isoText(moment)).toBe(moment.toISOString());
  }
});

test('an invalid time is refused, as in JavaScript', () => {
  isoText(new Date(0));
  expect(() => isoText(new Date(Number.NaN))).toThrow(RangeError);
});
