/** Reads tensors from a safetensors file without reading the whole file. */
import type { FragmentRow } from '../../store/schema/tables.ts';
import type { Domain } from '../core/domain.ts';
import { dtypeBytes, elementCount, headerLengthOf, NotSafetensors, PREFIX_BYTES, parseHeader } from './safetensors-header.ts';

export interface Tensor {
  readonly name: string;
  /** As written in the file: F32, BF16, I64 … */
  readonly dtype: string;
  readonly shape: readonly number[];
  /**
   * Row-major. An element is null if JSON cannot express it (NaN, infinity). The list is null if
   * the tensor is too large or its type is unknown.
   */
  readonly values: readonly (number | null)[] | null;
}

export interface StateDict {
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly tensors: readonly Tensor[];
}

export interface TensorsAsked {
  /** Null: all tensors. */
  readonly names: readonly string[] | null;
  readonly maxElements: number;
  /** The values left for the whole answer. */
  readonly budget: ValueBudget;
  /**
   * Called with the size of the header before it is read. Throws if that is too much for the
   * answer.
   */
  readonly beforeHeader: (bytes: number) => void;
}

/** The number of values that an answer may still contain. */
export interface ValueBudget {
  left: number;
}

/** Reads this many bytes from a position; fewer at the end of the file. */
export type ReadBytes = (position: number, length: number) => Promise<Buffer>;

/** The limit for all tensors of an answer together: a few megabytes of JSON. */
const MOST_VALUES = 262_144;
export const newValueBudget = (): ValueBudget => ({ left: MOST_VALUES });

/**
 * The tensors of a stored file. Null if the upload is not complete or it is not a safetensors file.
 */
export async function stateDictOf(
  domain: Domain,
  { id, sha256, sizeBytes, status }: FragmentRow,
  asked: TensorsAsked,
): Promise<StateDict | null> {
  if (status !== 'READY' || sha256 === null || sizeBytes === null) return null;
  const file = await domain.files.open({ id, sha256 });
  try {
    // A header can claim any length.
    return await readStateDict((position, length) => file.read(position, Math.max(0, Math.min(length, sizeBytes - position))), asked);
  } finally {
    await file.close();
  }
}

/** Null if it is not a safetensors file. */
export async function readStateDict(read: ReadBytes, asked: TensorsAsked): Promise<StateDict | null> {
  try {
    return await readTensors(read, asked);
  } catch (error) {
    if (error instanceof NotSafetensors) return null;
    throw error;
  }
}

async function readTensors(read: ReadBytes, asked: TensorsAsked): Promise<StateDict> {
  const headerLength = headerLengthOf(await read(0, PREFIX_BYTES));
  asked.beforeHeader(headerLength);
  const header = parseHeader(await read(PREFIX_BYTES, headerLength), headerLength);
  const dataStart = PREFIX_BYTES + headerLength;
  const entries = asked.names === null ? header.entries : header.entries.filter(({ name }) => asked.names?.includes(name));
  const tensors: Tensor[] = [];
  for (const { name, dtype, shape, start, end } of entries) {
    const count = elementCount(shape);
    const size = dtypeBytes[dtype] ?? 0;
    const readNumber = readers[dtype];
    // Checked before reading: a header can claim any size.
    const isShown = readNumber && count <= Math.min(asked.maxElements, asked.budget.left) && end - start === count * size;
    // Subtracted before reading: other tensors of the answer are read at the same time.
    if (isShown) asked.budget.left -= count;
    const values = isShown ? decode(readNumber, size, count, await read(dataStart + start, end - start)) : null;
    tensors.push({ name, dtype, shape, values });
  }
  return { metadata: header.metadata, tensors };
}

/** Reads one element as a number. */
type ReadNumber = (bytes: DataView, at: number) => number;

const readers: Readonly<Record<string, ReadNumber>> = {
  BOOL: (bytes, at) => bytes.getUint8(at),
  U8: (bytes, at) => bytes.getUint8(at),
  I8: (bytes, at) => bytes.getInt8(at),
  U16: (bytes, at) => bytes.getUint16(at, true),
  I16: (bytes, at) => bytes.getInt16(at, true),
  F16: (bytes, at) => bytes.getFloat16(at, true),
  // The upper half of a 32-bit float.
  BF16: (bytes, at) => asFloat(bytes.getUint16(at, true) << 16),
  U32: (bytes, at) => bytes.getUint32(at, true),
  I32: (bytes, at) => bytes.getInt32(at, true),
  F32: (bytes, at) => bytes.getFloat32(at, true),
  U64: (bytes, at) => Number(bytes.getBigUint64(at, true)),
  I64: (bytes, at) => Number(bytes.getBigInt64(at, true)),
  F64: (bytes, at) => bytes.getFloat64(at, true),
};

const scratch = new DataView(new ArrayBuffer(4));
function asFloat(bits: number): number {
  scratch.setInt32(0, bits);
  return scratch.getFloat32(0);
}

function decode(readNumber: ReadNumber, size: number, count: number, bytes: Buffer): (number | null)[] | null {
  if (bytes.length < count * size) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: count }, (_, i) => {
    const value = readNumber(view, i * size);
    return Number.isFinite(value) ? value : null;
  });
}
