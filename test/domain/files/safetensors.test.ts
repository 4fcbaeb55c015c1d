import { describe, expect, test } from 'vitest';
import { newValueBudget, type ReadBytes, readStateDict } from '../../../src/domain/files/safetensors.ts';

interface Laid {
  dtype: string;
  shape: number[];
  bytes: Buffer;
}

/** A file in the format: length, header, tensors one after the other. */
function file(tensors: Record<string, Laid>, metadata?: Record<string, string>): Buffer {
  let at = 0;
  const header: Record<string, unknown> = metadata ? { __metadata__: metadata } : {};
  for (const [name, { dtype, shape, bytes }] of Object.entries(tensors)) {
    header[name] = { dtype, shape, data_offsets: [at, at + bytes.length] };
    at += bytes.length;
  }
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json, ...Object.values(tensors).map(({ bytes }) => bytes)]);
}

const readOf =
  (bytes: Buffer): ReadBytes =>
  async (position, length) =>
    bytes.subarray(position, position + length);
const all = { names: null, maxElements: 1024, budget: newValueBudget(), beforeHeader: () => {} };

describe('a safetensors file', () => {
  const floats = Buffer.from(new Float32Array([1, -2.5, Number.NaN, 4]).buffer);

  test('gives its metadata and its tensors, row by row', async () => {
    const bytes = file({ w: { dtype: 'F32', shape: [2, 2], bytes: floats } }, { format: 'pt' });
    expect(await readStateDict(readOf(bytes), all)).toEqual({
      metadata: { format: 'pt' },
      tensors: [{ name: 'w', dtype: 'F32', shape: [2, 2], values: [1, -2.5, null, 4] }],
    });
  });

  test('gives half and whole numbers of every size', async () => {
    const bytes = file({
      bf16: { dtype: 'BF16', shape: [2], bytes: Buffer.from([0x80, 0x3f, 0x20, 0xc0]) },
      f16: { dtype: 'F16', shape: [1], bytes: Buffer.from([0x00, 0x3e]) },
      i64: { dtype: 'I64', shape: [], bytes: Buffer.from(new BigInt64Array([-7n]).buffer) },
      bool: { dtype: 'BOOL', shape: [2], bytes: Buffer.from([1, 0]) },
    });
    const read = await readStateDict(readOf(bytes), all);
    expect(read?.tensors.map(({ values }) => values)).toEqual([[1, -2.5], [1.5], [-7], [1, 0]]);
  });

  test('gives no values of a tensor that is too large, of an unknown type, or cut short', async () => {
    const bytes = file({
      large: { dtype: 'F32', shape: [4], bytes: floats },
      odd: { dtype: 'F4', shape: [2], bytes: Buffer.from([1]) },
      short: { dtype: 'F32', shape: [1], bytes: floats.subarray(0, 2) },
    });
    const read = await readStateDict(readOf(bytes), { ...all, maxElements: 3 });
    expect(read?.tensors.map(({ name, values }) => [name, values])).toEqual([
      ['large', null],
      ['odd', null],
      ['short', null],
    ]);
  });

  test('gives only the tensors asked for by name, and reads no others', async () => {
    const bytes = file({ a: { dtype: 'F32', shape: [4], bytes: floats }, b: { dtype: 'U8', shape: [1], bytes: Buffer.from([9]) } });
    const positions: number[] = [];
    const read = await readStateDict(
      (position, length) => {
        positions.push(position);
        return readOf(bytes)(position, length);
      },
      { ...all, names: ['b'] },
    );
    expect(read?.tensors).toEqual([{ name: 'b', dtype: 'U8', shape: [1], values: [9] }]);
    expect(positions).toEqual([0, 8, bytes.length - 1]);
  });

  test.each([
    ['an empty file', Buffer.alloc(0)],
    ['a text', Buffer.from('iteration,loss\n1,0.5\n')],
    ['a header that is no JSON', Buffer.concat([Buffer.from([3, 0, 0, 0, 0, 0, 0, 0]), Buffer.from('{"a')])],
    ['a header that describes no tensors', Buffer.concat([Buffer.from([7, 0, 0, 0, 0, 0, 0, 0]), Buffer.from('{"a":1}')])],
    ['a header longer than any', Buffer.from([0, 0, 0, 0, 0, 0, 0, 1, 0x7b, 0x7d])],
  ])('%s is none', async (_, bytes) => {
    expect(await readStateDict(readOf(bytes), all)).toBeNull();
  });
});
