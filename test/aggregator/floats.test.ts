import { describe, expect, test } from 'vitest';
import { floatTypes } from '../../src/aggregator/floats.ts';
import { pickNumber, seedRandom } from '../support/random.ts';
import { bitsOfDouble, type Exact, exactValueOf, formats, roundTo } from './exact.ts';

const all = Array.from({ length: 65_536 }, (_, bits) => bits);

function decodeAll(dtype: 'F16' | 'BF16'): Float64Array {
  const values = floatTypes[dtype]?.decode(new Uint16Array(all).buffer, all.length) ?? [];
  return Float64Array.from(values);
}

function encode(dtype: keyof typeof formats, values: readonly number[]): bigint[] {
  const elementBytes = (1 + formats[dtype].exponentBits + formats[dtype].mantissaBits) / 8;
  const bytes = new ArrayBuffer(values.length * elementBytes);
  floatTypes[dtype]?.encode(Float64Array.from(values), values.length, bytes);
  if (elementBytes === 2) return Array.from(new Uint16Array(bytes), BigInt);
  return elementBytes === 4 ? Array.from(new Uint32Array(bytes), BigInt) : Array.from(new BigUint64Array(bytes));
}

const toDouble = ({ mantissa, exponent }: Exact) => Number(mantissa) * 2 ** exponent;

/** The neighbouring double, away from zero or towards it. */
const nextDouble = (value: number, step: bigint) => new Float64Array(new BigUint64Array([bitsOfDouble(value) + step]).buffer)[0] ?? 0;

/** The bits of a finite double after exact rounding. */
function exactly(value: number, dtype: keyof typeof formats): bigint {
  if (value === 0) return Object.is(value, -0) ? roundTo(-1n, 1n, -10_000, formats[dtype]) : 0n;
  const { mantissa, exponent } = exactValueOf(bitsOfDouble(value), formats.F64) ?? { mantissa: 0n, exponent: 0 };
  return roundTo(mantissa, 1n, exponent, formats[dtype]);
}

describe.each(['F16', 'BF16'] as const)('%s', (dtype) => {
  test('is read exactly, for each of its 65,536 values', () => {
    const values = decodeAll(dtype);
    for (const bits of all) {
      const exact = exactValueOf(BigInt(bits), formats[dtype]);
      const value = values[bits] ?? 0;
      if (!exact) expect(Number.isFinite(value)).toBe(false);
      else if (exact.mantissa === 0n) expect(Object.is(value, bits >> 15 === 1 ? -0 : 0)).toBe(true);
      else if (value !== toDouble(exact)) expect.fail(`${bits.toString(16)} is ${toDouble(exact)}, not ${value}.`);
    }
  });

  test('is written back as it was read, for each of its values, including signed zeros', () => {
    const values = decodeAll(dtype);
    const finite = all.filter((bits) => Number.isFinite(values[bits]));
    const written = encode(
      dtype,
      finite.map((bits) => values[bits] ?? 0),
    );
    expect(written).toEqual(finite.map(BigInt));
  });

  test('rounds a tie to the even neighbour, and the next double beside it to the nearer neighbour', () => {
    const values = decodeAll(dtype);
    const wanted: bigint[] = [];
    const given: number[] = [];
    for (const bits of all) {
      const value = values[bits] ?? 0;
      const next = values[bits + 1] ?? Number.NaN;
      if (!Number.isFinite(value) || !Number.isFinite(next)) continue;
      const halfway = (value + next) / 2;
      for (const near of [halfway, nextDouble(halfway, -1n), nextDouble(halfway, 1n)]) {
        given.push(near);
        wanted.push(exactly(near, dtype));
      }
    }
    expect(given.length).toBeGreaterThan(190_000 - (dtype === 'F16' ? 6_200 : 900));
    expect(encode(dtype, given)).toEqual(wanted);
  });

  test('becomes infinity from halfway past its largest value on', () => {
    const { exponentBits, mantissaBits } = formats[dtype];
    const infinity = ((1n << BigInt(exponentBits)) - 1n) << BigInt(mantissaBits);
    const largest = decodeAll(dtype)[Number(infinity) - 1] ?? 0;
    const past = largest * (1 + 2 ** -(mantissaBits + 1) / (2 - 2 ** -mantissaBits));
    const sign = 0x8000n;
    expect(encode(dtype, [past, nextDouble(past, -1n), -past, Number.MAX_VALUE, -Number.MAX_VALUE])).toEqual([
      infinity,
      infinity - 1n,
      infinity | sign,
      infinity,
      infinity | sign,
    ]);
  });
});

test.each(['F16', 'BF16', 'F32', 'F64'] as const)('%s is rounded from doubles of every size as exact arithmetic rounds', (dtype) => {
  const random = seedRandom(dtype);
  const given = Array.from({ length: 20_000 }, (_, i) => {
    // Half of them anywhere, half where the type's values lie or are just lost.
    const any = new Float64Array(new BigUint64Array([random(8).readBigUInt64LE()]).buffer)[0] ?? 0;
    const near =
      (pickNumber(random, 2 ** 48) / 2 ** 47 - 1) *
      2 ** (pickNumber(random, 2 ** formats[dtype].exponentBits) - 2 ** (formats[dtype].exponentBits - 1) - 8);
    return i % 2 === 0 && Number.isFinite(any) ? any : near;
  });
  expect(encode(dtype, given)).toEqual(given.map((value) => exactly(value, dtype)));
});
