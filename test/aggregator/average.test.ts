import { describe, expect, test } from 'vitest';
import { averageModels, NoMean } from '../../src/aggregator/average.ts';
import { averageOf } from '../../src/aggregator/threads.ts';
import { openOnDisk, shareOnDisk } from '../../src/store/files/disk.ts';
import { pickNumber, seedRandom } from '../support/random.ts';
import { exactValueOf, formats, roundTo } from './exact.ts';
import { decodeModel, encodeModel, f32, f64, halves, i64, type Laid, storedModel, withHeader, writeModel } from './models.ts';

type Model = Record<string, Laid>;

const named = (files: readonly (Model | Buffer)[], weights?: readonly number[]) =>
  files.map((file, i) => ({
    ...storedModel(writeModel(Buffer.isBuffer(file) ? file : encodeModel(file))),
    label: `The model of device ${'abcdefgh'[i]}`,
    weight: weights?.[i] ?? 1,
  }));

function average(files: readonly (Model | Buffer)[], weights?: readonly number[]) {
  const pieces: Buffer[] = [];
  for (const bytes of averageModels(named(files, weights).map((model) => ({ ...model, file: openOnDisk(String(model.file.where)) }))))
    pieces.push(Buffer.from(bytes));
  return decodeModel(Buffer.concat(pieces));
}

function refusalOf(files: readonly (Model | Buffer)[]): string {
  try {
    average(files);
  } catch (error) {
    if (error instanceof NoMean) return error.message;
    throw error;
  }
  throw new Error('They have a mean.');
}

const buffer = (laid: Laid | undefined) => new Uint8Array(laid?.bytes ?? []).buffer;
const singles = (laid: Laid | undefined) => [...new Float32Array(buffer(laid))];
const doubles = (laid: Laid | undefined) => [...new Float64Array(buffer(laid))];
const bitsOf = (laid: Laid | undefined) => [...new Uint16Array(buffer(laid))];

/** The mean in the simplest form: whole arrays, plain loops. */
function plainMean(arrays: readonly (readonly number[])[], weights: readonly number[]): number[] {
  const [first = []] = arrays;
  return first.map((_, i) => {
    let sum = Number.NaN;
    for (const [k, array] of arrays.entries()) {
      const term = (array[i] ?? 0) * (weights[k] ?? 0);
      sum = k === 0 ? term : sum + term;
    }
    return sum / weights.reduce((all, weight) => all + weight, 0);
  });
}

describe('Federated averaging', () => {
  // More than a piece of 256 KiB, and not a multiple of it.
  test.each([
    { seed: 1, weights: [1, 1], size: 70_001 },
    { seed: 2, weights: [1, 1, 1], size: 1_000 },
    { seed: 3, weights: [600, 1, 77, 12_345], size: 65_536 },
    { seed: 4, weights: [3], size: 131_073 },
    { seed: 5, weights: [2_147_483_647, 1, 2, 999_999_937, 5], size: 333 },
  ])('of random models (seed $seed, weights $weights) equals plain loops over whole arrays', ({ seed, weights, size }) => {
    const random = seedRandom(seed);
    const pick = () => (pickNumber(random, 2 ** 48) / 2 ** 47 - 1) * 10 ** (pickNumber(random, 60) - 30);
    const models = weights.map(() => ({
      single: Array.from({ length: size }, () => Math.fround(pick())),
      double: Array.from({ length: Math.ceil(size / 3) }, pick),
      scalar: [Math.fround(pick())],
    }));
    const { tensors } = average(
      models.map(({ single, double, scalar }) => ({
        single: f32(single),
        scalar: f32(scalar, []),
        none: f32([], [0, 3]),
        double: f64(double),
      })),
      weights,
    );
    const mean = (name: 'single' | 'double' | 'scalar') =>
      plainMean(
        models.map((model) => model[name]),
        weights,
      );
    expect(singles(tensors.single)).toEqual(mean('single').map(Math.fround));
    expect(doubles(tensors.double)).toEqual(mean('double'));
    expect(tensors.scalar).toMatchObject({ shape: [], dtype: 'F32' });
    expect(singles(tensors.scalar)).toEqual(mean('scalar').map(Math.fround));
    expect(tensors.none).toMatchObject({ shape: [0, 3], bytes: new Uint8Array() });
  });

  test.each(['F16', 'BF16'] as const)('of %s equals exact arithmetic on fractions, subnormals included', (dtype) => {
    const random = seedRandom(dtype);
    const format = formats[dtype];
    const weights = [1, 20, 300, 4_000].map((below) => 1 + pickNumber(random, below));
    // Every F16. Of BF16 the exponents, from the smallest number on, over which doubles hold every
    // sum exactly.
    const highest = dtype === 'F16' ? 0x7c00 : 0x0f00;
    const models = weights.map(() => Array.from({ length: 150_000 }, () => pickNumber(random, highest) | (pickNumber(random, 2) << 15)));
    const { tensors } = average(
      models.map((bits) => ({ w: halves(dtype, bits, [3, 50_000]) })),
      weights,
    );
    const total = BigInt(weights.reduce((sum, weight) => sum + weight, 0));
    const lowest = 1 - (2 ** (format.exponentBits - 1) - 1) - format.mantissaBits;
    const wanted = Array.from({ length: 150_000 }, (_, i) => {
      let sum = 0n;
      for (const [k, bits] of models.entries()) {
        const value = exactValueOf(BigInt(bits[i] ?? 0), format);
        if (value) sum += BigInt(weights[k] ?? 0) * (value.mantissa << BigInt(value.exponent - lowest));
      }
      return Number(roundTo(sum, total, lowest, format));
    });
    const isZero = (bits: number) => (bits & 0x7fff) === 0;
    expect(bitsOf(tensors.w).map((bits) => (isZero(bits) ? 0 : bits))).toEqual(wanted.map((bits) => (isZero(bits) ? 0 : bits)));
  });

  test('keeps the sign of zeros, the smallest subnormals and the largest numbers', () => {
    const least = Number.MIN_VALUE;
    const most = Number.MAX_VALUE;
    const { tensors } = average([
      {
        zero: f64([-0, 0, -0]),
        tiny: f64([least, least, 3 * least]),
        huge: f64([most, -most, most, least]),
        single: f32([2 ** -149, 2 ** -149]),
      },
      { zero: f64([-0, -0, 0]), tiny: f64([least, 0, 0]), huge: f64([most, -most, -most, least]), single: f32([2 ** -149, 0]) },
    ]);
    expect(doubles(tensors.zero)).toEqual([-0, 0, 0]);
    // Half the least is a tie, whose even neighbour is zero. Half of three leasts is a tie, too;
    // its even neighbour is two.
    expect(doubles(tensors.tiny)).toEqual([least, 0, 2 * least]);
    expect(doubles(tensors.huge)).toEqual([most, -most, 0, least]);
    expect(singles(tensors.single)).toEqual([2 ** -149, 0]);
  });

  test('finds tensors by name, wherever they lie in each file, and keeps the metadata that all files share', () => {
    const first = encodeModel({ a: f32([1, 2]), b: f64([10]) }, { format: 'pt', device: 'a' });
    const second = encodeModel({ b: f64([30]), a: f32([3, 6]) }, { format: 'pt', device: 'b' });
    const { metadata, tensors } = average([first, second]);
    expect(metadata).toEqual({ format: 'pt' });
    expect([singles(tensors.a), doubles(tensors.b)]).toEqual([[2, 4], [20]]);
  });

  test('takes integers and booleans from the model with the most samples, the first of several', () => {
    const mask = (byte: number): Laid => ({ dtype: 'BOOL', shape: [1], bytes: new Uint8Array([byte]) });
    const model = (w: number, batches: bigint): Model => ({
      w: f32([w]),
      num_batches_tracked: i64([batches]),
      mask: mask(Number(batches % 2n)),
    });
    const models = [model(1, 7n), model(2, 8n), model(3, 9n)];
    const counters = (weights?: readonly number[]) => {
      const { num_batches_tracked, mask } = average(models, weights).tensors;
      return [num_batches_tracked, mask];
    };
    expect(counters()).toEqual([i64([7n]), mask(1)]);
    expect(counters([10, 30, 20])).toEqual([i64([8n]), mask(0)]);
    expect(counters([10, 30, 30])).toEqual([i64([8n]), mask(0)]);
    expect(counters([1, 2, 3])).toEqual([i64([9n]), mask(1)]);
  });

  test('keeps a tensor without a mean if all models agree on it, and is refused if one differs', () => {
    const model = (byte: number): Model => ({ w: f32([1]), frozen: { dtype: 'F8_E4M3', shape: [1], bytes: new Uint8Array([byte]) } });
    expect(average([model(7), model(7)]).tensors.frozen).toEqual(model(7).frozen);
    expect(refusalOf([model(7), model(7), model(8)])).toBe(
      'Tensor "frozen" of F8_E4M3 has no mean, and is not the same in all models: The model of device c differs from The model of device a.',
    );
  });

  test.each<[string, Model | Buffer, string]>([
    ['a missing tensor', { b: f32([1, 2]) }, 'Tensor "a" is missing: The model of device a has it.'],
    [
      'an additional tensor',
      { a: f32([1]), b: f32([1, 2]), c: f32([0]) },
      'Tensor "c" is additional: The model of device a does not have it.',
    ],
    ['another shape', { a: f32([1]), b: f32([1, 2], [2, 1]) }, 'Tensor "b" has shape [2, 1]; in The model of device a it has [2].'],
    ['another dtype', { a: f64([1]), b: f32([1, 2]) }, 'Tensor "a" has dtype F64; in The model of device a it has F32.'],
    ['NaN', { a: f32([Number.NaN]), b: f32([1, 2]) }, 'has NaN in tensor "a".'],
    ['infinity', { a: f32([1]), b: f32([1, Number.NEGATIVE_INFINITY]) }, 'has -Infinity in tensor "b".'],
    [
      'a file cut short',
      encodeModel({ a: f32([1]), b: f32([1, 2]) }).subarray(0, -3),
      'Tensor "b" ends at byte 12 of the data, of which the file has 9',
    ],
    ['no safetensors at all', Buffer.from('PK'), 'The file has 2 bytes, too few'],
    ['no JSON', withHeader('{"a'), 'Its header is not JSON.'],
  ])('refuses %s, and says which tensor of whose model', (_, other, message) => {
    const good: Model = { a: f32([1]), b: f32([1, 2]) };
    const said = refusalOf([good, good, other]);
    expect(said).toContain(message);
    expect(said).toContain('The model of device c');
  });
});

describe('An averaging thread', () => {
  const model: Model = { w: f32(Array.from({ length: 300_000 }, (_, i) => i)), b: f64([1]) };

  test('writes the same bytes as averaging in this thread', async () => {
    const models = named([model, model]);
    const pieces: Buffer[] = [];
    for await (const bytes of averageOf(models, new AbortController().signal)) pieces.push(Buffer.from(bytes));
    expect(decodeModel(Buffer.concat(pieces)).tensors).toEqual({ w: model.w, b: model.b });
  });

  test('reports why there is no mean', async () => {
    const models = named([model, { w: f32([1]), b: f64([1]) }]);
    await expect(averageOf(models, new AbortController().signal).next()).rejects.toThrow(
      /^The model of device b does not fit: Tensor "w" has shape \[1\]/,
    );
  });

  test('ends when it is aborted', async () => {
    const stop = new AbortController();
    const bytes = averageOf(named([model, model]), stop.signal);
    await bytes.next();
    stop.abort();
    await expect(bytes.next()).rejects.toThrow('aborted');
  });

  test('reports whose file is missing', async () => {
    await expect(
      averageOf([{ file: shareOnDisk('/nowhere'), label: 'It', weight: 1 }], new AbortController().signal).next(),
    ).rejects.toThrow('It is not among the files of this gateway.');
  });
});
