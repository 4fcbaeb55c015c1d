import { describe, expect, test } from 'vitest';
import { inspectModel } from '../../src/aggregator/threads.ts';
import { shareOnDisk } from '../../src/store/files/disk.ts';
import { encodeModel, f32, f64, halves, i64, type Laid, storedModel, withHeader, writeModel } from './models.ts';

const start = { a: f32([1, 2, 3, 4, 5, 6], [2, 3]), b: halves('BF16', [0x3f80]), n: i64([5n]) };

/** A file of two tensors, `a` of 8 bytes and `b` of 4, with the given positions in its header. */
const laid = (a: readonly [number, number], b: readonly [number, number], bytes = 12, shape: readonly number[] = [2]) =>
  withHeader(JSON.stringify({ a: { dtype: 'F32', shape, data_offsets: a }, b: { dtype: 'F32', shape: [1], data_offsets: b } }), [
    new Uint8Array(bytes),
  ]);

async function problemsOf(
  file: Record<string, Laid> | Buffer,
  beside: Record<string, Laid> | Buffer | null = null,
  isAveraged = true,
): Promise<string[]> {
  const stored = (model: Record<string, Laid> | Buffer) => storedModel(writeModel(Buffer.isBuffer(model) ? model : encodeModel(model)));
  return inspectModel(stored(file), beside && stored(beside), isAveraged);
}

describe('The inspection of a model', () => {
  test('accepts a model with the tensors of the start model, in any order and with any values', async () => {
    expect(await problemsOf({ n: i64([9n]), b: halves('BF16', [0xff7f]), a: f32([0, -0, 1e-45, 3.4e38, -1, 2], [2, 3]) }, start)).toEqual(
      [],
    );
  });

  test('accepts any intact file when there is no start model', async () => {
    expect(await problemsOf({ x: f64([1]), none: f32([], [0]), scalar: f32([1], []) })).toEqual([]);
    expect(await problemsOf(withHeader('{}'))).toEqual([]);
  });

  test.each<[string, Record<string, Laid>, string]>([
    ['a missing tensor', { a: start.a, n: start.n }, 'Tensor "b" is missing: the start model has it.'],
    ['an additional tensor', { ...start, c: f32([1]) }, 'Tensor "c" is additional: the start model does not have it.'],
    ['another shape', { ...start, a: f32([1, 2, 3, 4, 5, 6], [3, 2]) }, 'Tensor "a" has shape [3, 2]; in the start model it has [2, 3].'],
    ['another dtype', { ...start, b: halves('F16', [0x3c00]) }, 'Tensor "b" has dtype F16; in the start model it has BF16.'],
    ['NaN', { ...start, a: f32([1, 2, 3, 4, Number.NaN, 6], [2, 3]) }, 'Tensor "a" has NaN at [1, 1].'],
    [
      'infinity',
      { ...start, a: f32([1, 2, 3, Number.NEGATIVE_INFINITY, Number.NaN, Number.POSITIVE_INFINITY], [2, 3]) },
      'Tensor "a" has -Infinity at [1, 0], and 2 more that are not finite.',
    ],
    ['NaN of half a float', { ...start, b: halves('BF16', [0x7fc0]) }, 'Tensor "b" has NaN at [0].'],
  ])('names %s', async (_, model, problem) => {
    expect(await problemsOf(model, start)).toEqual([problem]);
  });

  test('names differing tensors that have no mean, where models are averaged, except integers and booleans', async () => {
    const eighth = (byte: number): Laid => ({ dtype: 'F8_E4M3', shape: [3], bytes: new Uint8Array([0, byte, 1]) });
    const mask = (byte: number): Laid => ({ dtype: 'BOOL', shape: [1], bytes: new Uint8Array([byte]) });
    const model = (byte: number) => ({ w: f32([byte]), frozen: eighth(byte), n: i64([BigInt(byte)]), mask: mask(byte % 2) });
    const problem = 'Tensor "frozen" of F8_E4M3 has no mean here: it must stay as it is in the start model.';
    expect(await problemsOf(model(7), model(8))).toEqual([problem]);
    expect(await problemsOf(model(7), model(8), false)).toEqual([]);
    expect(await problemsOf(model(7), { ...model(8), frozen: eighth(7) })).toEqual([]);
    expect(await problemsOf(model(7))).toEqual([]);
  });

  test('finds the one wrong number of a million', async () => {
    const values = new Array<number>(1_000_000).fill(0.5);
    values[777_777] = Number.POSITIVE_INFINITY;
    expect(await problemsOf({ w: f32(values, [1_000, 10, 100]) })).toEqual(['Tensor "w" has Infinity at [777, 7, 77].']);
    expect(await problemsOf({ w: f64(values, [1_000_000]) })).toEqual(['Tensor "w" has Infinity at [777777].']);
  });

  test.each<[string, Buffer, string]>([
    ['an overlap', laid([0, 8], [4, 8], 8), 'Tensor "b" overlaps tensor "a".'],
    ['the same bytes twice', laid([0, 8], [0, 4], 8), 'Tensor "a" overlaps tensor "b".'],
    ['a gap', laid([0, 8], [12, 16], 16), 'Tensor "b" comes after 4 bytes that belong to no tensor.'],
    ['a file cut short', laid([0, 8], [8, 12], 9), 'Tensor "b" ends at byte 12 of the data, of which the file has 9: it is cut short.'],
    ['a rest', laid([0, 8], [8, 12], 13), 'The file has 1 bytes after its last tensor.'],
    ['a size that does not fit', laid([0, 8], [8, 12], 12, [3]), 'Tensor "a" of F32 and shape [3] takes 12 bytes; its offsets span 8.'],
    [
      'a shape without bounds',
      laid([0, 8], [8, 12], 12, [2 ** 31 - 1, 2 ** 31 - 1, 2 ** 31 - 1]),
      `takes ${(2 ** 31 - 1) ** 3 * 4} bytes; its offsets span 8.`,
    ],
    [
      'an unknown dtype',
      encodeModel({ odd: { dtype: 'F4', shape: [2], bytes: new Uint8Array(1) } }),
      'Tensor "odd" has dtype F4, which the gateway does not know.',
    ],
    ['a negative offset', laid([-8, 0], [0, 4]), 'Tensor "a" has no data_offsets of two whole numbers in order in the header.'],
    ['offsets beyond all numbers', laid([0, 8], [8, 1e300]), 'Tensor "b" has no data_offsets of two whole numbers in order in the header.'],
    ['a shape of other things', laid([0, 8], [8, 12], 12, [-2]), 'Tensor "a" has no shape of whole numbers in the header.'],
    ['an empty file', Buffer.alloc(0), 'The file has 0 bytes, too few for a safetensors file.'],
    ['a header that ends early', encodeModel(start).subarray(0, 30), 'The file ends within its header'],
    ['a header of no JSON', withHeader('{"a": '), 'Its header is not JSON.'],
    ['a header of no text', Buffer.from([2, 0, 0, 0, 0, 0, 0, 0, 0xc3, 0x28]), 'Its header is not JSON.'],
    ['a header of a list', withHeader('[]'), 'Its header is not a JSON object.'],
    [
      'another format',
      Buffer.from('PK\u0003\u0004 a zip file as other tools write them'),
      'Its first 8 bytes are not the length of a safetensors header.',
    ],
  ])('names %s', async (_, file, problem) => {
    const problems = await problemsOf(file);
    expect(problems[0]).toContain(problem);
  });

  test('reports a start model that is not a model', async () => {
    expect(await problemsOf(start, Buffer.from('nothing'))).toEqual([
      'It cannot be compared with the start model, which is not a safetensors file: The file has 7 bytes, too few for a safetensors file.',
    ]);
  });

  test('shortens a long list of differences', async () => {
    const many = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`layer.${i}`, f32([i])]));
    const problems = await problemsOf({}, many);
    expect(problems).toHaveLength(21);
    expect(problems.at(-1)).toBe('And 30 more.');
  });

  test('of many models at once inspects all of them', async () => {
    const good = storedModel(writeModel(encodeModel(start)));
    const bad = storedModel(writeModel(encodeModel({ a: f32([Number.NaN]) })));
    const all = await Promise.all(Array.from({ length: 12 }, (_, i) => inspectModel(i % 3 === 0 ? bad : good, null, true)));
    expect(all.map((problems) => problems.length)).toEqual([1, 0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0]);
  });

  test('fails when the file is missing', async () => {
    await expect(inspectModel({ file: shareOnDisk('/nowhere/model'), sizeBytes: 1 }, null, true)).rejects.toThrow('not in the folder');
  });
});
