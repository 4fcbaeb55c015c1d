/**
 * Reads tensors out of a safetensors file, without reading the file: 8 bytes of length, a header in JSON that says where each tensor lies, then
 * their bytes. https://huggingface.co/docs/safetensors
 */
import { open } from 'node:fs/promises';
import type { FragmentRow } from '../store/tables.ts';
import type { Domain } from './domain.ts';

export interface Tensor {
  readonly name: string;
  /** As the file says it: F32, BF16, I64 … */
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Row-major; null within it is what JSON has no number for (NaN, infinity). Null as a whole: too many, or of a type that is not known here. */
  readonly values: readonly (number | null)[] | null;
}

export interface StateDict {
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly tensors: readonly Tensor[];
}

export interface TensorsAsked {
  /** Null: all. */
  readonly names: readonly string[] | null;
  readonly maxElements: number;
}

/** Reads so many bytes from a position on; fewer at the end of the file. */
export type ReadBytes = (position: number, length: number) => Promise<Buffer>;

/** A header is a few kilobytes for each thousand tensors; the format itself stops at 100 MB. */
const MOST_HEADER_BYTES = 8 * 1024 ** 2;
/** Of all tensors of one answer together: some megabytes of JSON. */
const MOST_VALUES = 262_144;

interface Entry {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly start: number;
  readonly end: number;
}

/** The tensors of a stored file. Null: its bytes are not all here, or it is not a safetensors file. */
export async function stateDictOf(
  domain: Domain,
  { id, sha256, sizeBytes, status }: FragmentRow,
  asked: TensorsAsked,
): Promise<StateDict | null> {
  if (status !== 'READY' || sha256 === null || sizeBytes === null) return null;
  const file = await open(domain.files.pathOf(id, sha256));
  try {
    return await readStateDict(async (position, length) => {
      const bytes = Buffer.alloc(Math.max(0, Math.min(length, sizeBytes - position)));
      const { bytesRead } = await file.read(bytes, 0, bytes.length, position);
      return bytes.subarray(0, bytesRead);
    }, asked);
  } finally {
    await file.close();
  }
}

/** Null: it is not a safetensors file. */
export async function readStateDict(read: ReadBytes, asked: TensorsAsked): Promise<StateDict | null> {
  const prefix = await read(0, 8);
  if (prefix.length < 8) return null;
  const headerLength = prefix.readBigUInt64LE();
  if (headerLength > BigInt(MOST_HEADER_BYTES)) return null;
  const dataStart = 8 + Number(headerLength);
  const header = parseHeader(await read(8, Number(headerLength)));
  if (!header) return null;

  const entries = asked.names === null ? header.entries : header.entries.filter(({ name }) => asked.names?.includes(name));
  const tensors: Tensor[] = [];
  let valuesLeft = MOST_VALUES;
  for (const { name, dtype, shape, start, end } of entries) {
    const count = shape.reduce((product, size) => product * size, 1);
    const type = numberTypes[dtype];
    // Checked before it is read: a header can claim any size.
    const isShown = type && count <= Math.min(asked.maxElements, valuesLeft) && end - start === count * type.size;
    const values = isShown ? decode(type, count, await read(dataStart + start, end - start)) : null;
    if (values) valuesLeft -= count;
    tensors.push({ name, dtype, shape, values });
  }
  return { metadata: header.metadata, tensors };
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
const isSize = (value: unknown): value is number => typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
/** What GraphQL's Int holds; no tensor is longer than that. */
const isDimension = (value: unknown): value is number => isSize(value) && value < 2 ** 31;

function parseHeader(bytes: Buffer): { metadata: Record<string, unknown>; entries: Entry[] } | null {
  let header: unknown;
  try {
    header = JSON.parse(bytes.toString());
  } catch {
    return null;
  }
  if (!isRecord(header)) return null;
  const { __metadata__: metadata = {}, ...tensors } = header;
  if (!isRecord(metadata)) return null;
  const entries: Entry[] = [];
  for (const [name, description] of Object.entries(tensors)) {
    const entry = parseEntry(name, description);
    if (!entry) return null;
    entries.push(entry);
  }
  return { metadata, entries };
}

function parseEntry(name: string, description: unknown): Entry | null {
  if (!isRecord(description)) return null;
  const { dtype, shape, data_offsets: offsets } = description;
  if (typeof dtype !== 'string' || !Array.isArray(shape) || !shape.every(isDimension)) return null;
  if (!Array.isArray(offsets)) return null;
  const [start, end]: unknown[] = offsets;
  if (!isSize(start) || !isSize(end) || end < start) return null;
  return { name, dtype, shape, start, end };
}

interface NumberType {
  readonly size: number;
  read(bytes: DataView, at: number): number;
}

const numberTypes: Readonly<Record<string, NumberType>> = {
  BOOL: { size: 1, read: (bytes, at) => bytes.getUint8(at) },
  U8: { size: 1, read: (bytes, at) => bytes.getUint8(at) },
  I8: { size: 1, read: (bytes, at) => bytes.getInt8(at) },
  U16: { size: 2, read: (bytes, at) => bytes.getUint16(at, true) },
  I16: { size: 2, read: (bytes, at) => bytes.getInt16(at, true) },
  F16: { size: 2, read: (bytes, at) => bytes.getFloat16(at, true) },
  // The upper half of a 32-bit float.
  BF16: { size: 2, read: (bytes, at) => asFloat(bytes.getUint16(at, true) << 16) },
  U32: { size: 4, read: (bytes, at) => bytes.getUint32(at, true) },
  I32: { size: 4, read: (bytes, at) => bytes.getInt32(at, true) },
  F32: { size: 4, read: (bytes, at) => bytes.getFloat32(at, true) },
  U64: { size: 8, read: (bytes, at) => Number(bytes.getBigUint64(at, true)) },
  I64: { size: 8, read: (bytes, at) => Number(bytes.getBigInt64(at, true)) },
  F64: { size: 8, read: (bytes, at) => bytes.getFloat64(at, true) },
};

const scratch = new DataView(new ArrayBuffer(4));
function asFloat(bits: number): number {
  scratch.setInt32(0, bits);
  return scratch.getFloat32(0);
}

function decode(type: NumberType, count: number, bytes: Buffer): (number | null)[] | null {
  if (bytes.length < count * type.size) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: count }, (_, i) => {
    const value = type.read(view, i * type.size);
    return Number.isFinite(value) ? value : null;
  });
}
