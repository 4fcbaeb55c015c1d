import { GraphQLScalarType } from 'graphql';
import { describe, expect, test } from 'vitest';
import { schema } from '../../../src/schema/index.ts';

function scalar(name: string): GraphQLScalarType {
  const type = schema.getType(name);
  if (type instanceof GraphQLScalarType) return type;
  throw new Error(`There is no scalar ${name}.`);
}

describe('DateTime', () => {
  const { parseValue, serialize } = scalar('DateTime');

  test('accepts any offset, and is printed in UTC with milliseconds', () => {
    expect(serialize(parseValue('2026-01-31T12:00:00+02:00'))).toBe('2026-01-31T10:00:00.000Z');
    expect(serialize(parseValue('2026-01-31t12:00:00.1239z'))).toBe('2026-01-31T12:00:00.123Z');
  });

  test.each([
    '2026-01-31',
    '2026-01-31T12:00:00',
    '2026-02-30T12:00:00Z',
    '2026-01-01T25:00:00Z',
    '0000-01-01T00:00:00Z',
    '0001-01-01T00:00:00+01:00',
    '9999-12-31T23:59:59-01:00',
    'yesterday',
    '',
    0,
    true,
    null,
  ])('refuses %j', (value) => {
    expect(() => parseValue(value)).toThrow('DateTime must be RFC 3339 text with a time zone');
  });
});

describe('ByteCount', () => {
  const { parseValue } = scalar('ByteCount');

  test('accepts integers up to 2^53-1', () => {
    expect([0, 5_000_000_000, Number.MAX_SAFE_INTEGER].map((value) => parseValue(value))).toEqual([
      0,
      5_000_000_000,
      Number.MAX_SAFE_INTEGER,
    ]);
  });

  test.each([-1, 1.5, 2 ** 53, '1', null])('refuses %j', (value) => {
    expect(() => parseValue(value)).toThrow('ByteCount must be a whole number');
  });
});

describe('JSONObject', () => {
  test.each([[[]], ['{}'], [1], [null]])('refuses %j', (value) => {
    expect(() => scalar('JSONObject').parseValue(value)).toThrow('JSONObject must be an object');
  });

  test('names a wrong value without repeating all of it', () => {
    expect(() => scalar('JSONObject').parseValue('x'.repeat(100_000))).toThrow(/^.{1,120}$/);
  });
});
