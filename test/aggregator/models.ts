/** Safetensors files for tests, laid out by hand and not by the code under test. */
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { StoredModel } from '../../src/domain/core/domain.ts';
import { shareOnDisk } from '../../src/store/files/disk.ts';
import { createFolder } from '../support/folders.ts';

export interface Laid {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/** A file in the format: length, header, tensors in sequence. */
export function encodeModel(tensors: Readonly<Record<string, Laid>>, metadata?: Readonly<Record<string, string>>): Buffer {
  let at = 0;
  const header: Record<string, unknown> = metadata ? { __metadata__: metadata } : {};
  for (const [name, { dtype, shape, bytes }] of Object.entries(tensors)) {
    header[name] = { dtype, shape, data_offsets: [at, at + bytes.length] };
    at += bytes.length;
  }
  return withHeader(
    JSON.stringify(header),
    Object.values(tensors).map(({ bytes }) => bytes),
  );
}

/** A file with the given header and data. */
export function withHeader(json: string, data: readonly Uint8Array[] = []): Buffer {
  const header = Buffer.from(json);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([length, header, ...data]);
}

let files = 0;
export function writeModel(content: Uint8Array, folder = createFolder('model')): string {
  const path = join(folder, `${files++}.safetensors`);
  writeFileSync(path, content);
  return path;
}

/** A model on disk, as the domain describes it to readers. */
export const storedModel = (path: string): StoredModel => ({ file: shareOnDisk(path), sizeBytes: statSync(path).size });

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView) => new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength); // made in this file, never shared

export const f32 = (values: readonly number[], shape: readonly number[] = [values.length]): Laid => ({
  dtype: 'F32',
  shape,
  bytes: bytesOf(new Float32Array(values)),
});
export const f64 = (values: readonly number[], shape: readonly number[] = [values.length]): Laid => ({
  dtype: 'F64',
  shape,
  bytes: bytesOf(new Float64Array(values)),
});
export const i64 = (values: readonly bigint[], shape: readonly number[] = [values.length]): Laid => ({
  dtype: 'I64',
  shape,
  bytes: bytesOf(new BigInt64Array(values)),
});
/** Elements of two bytes, from their bits. */
export const halves = (dtype: 'F16' | 'BF16', bits: readonly number[], shape: readonly number[] = [bits.length]): Laid => ({
  dtype,
  shape,
  bytes: bytesOf(new Uint16Array(bits)),
});

/** Reads back the metadata and the bytes of each tensor. */
export function decodeModel(file: Buffer): { metadata: unknown; tensors: Record<string, Laid> } {
  const headerLength = Number(file.readBigUInt64LE());
  const { __metadata__: metadata, ...header } = JSON.parse(file.toString('utf8', 8, 8 + headerLength)) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: [number, number] }
  >; // written by the code under test; a wrong shape fails the test
  const data = file.subarray(8 + headerLength);
  const tensors = Object.entries(header).map(
    ([
      name,
      {
        dtype,
        shape,
        data_offsets: [start, end],
      },
    ]) => [name, { dtype, shape, bytes: new Uint8Array(data.subarray(start, end)) }],
  );
  return { metadata, tensors: Object.fromEntries(tensors) };
}
