/**
 * The header of a safetensors file: 8 bytes of length, then JSON with the type, shape and offsets
 * of each tensor. The data follows. https://huggingface.co/docs/safetensors
 */

/** The file is not a safetensors file. The message gives the reason, as a sentence. */
export class NotSafetensors extends Error {}

export interface TensorEntry {
  readonly name: string;
  /** As written in the file: F32, BF16, I64 … */
  readonly dtype: string;
  readonly shape: readonly number[];
  /** The offset of its first byte, counted from the end of the header. */
  readonly start: number;
  /** The offset after its last byte. */
  readonly end: number;
}

export interface SafetensorsHeader {
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly entries: readonly TensorEntry[];
}

/** The size of the length field: an unsigned little-endian integer. */
export const PREFIX_BYTES = 8;
/** A header has a few kilobytes per thousand tensors. The format itself allows 100 MB. */
const MOST_HEADER_BYTES = 8 * 1024 ** 2;

/**
 * Bytes per element. Types that are not listed are unknown to the gateway: the format also has
 * types smaller than a byte.
 */
export const dtypeBytes: Readonly<Record<string, number>> = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E4M3: 1,
  F8_E5M2: 1,
  F8_E8M0: 1,
  U16: 2,
  I16: 2,
  F16: 2,
  BF16: 2,
  U32: 4,
  I32: 4,
  F32: 4,
  U64: 8,
  I64: 8,
  F64: 8,
  C64: 8,
};

export const elementCount = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);

/** Reads the length of the header from the first bytes of a file. Throws NotSafetensors. */
export function headerLengthOf(prefix: Uint8Array): number {
  if (prefix.length < PREFIX_BYTES) throw new NotSafetensors(`The file has ${prefix.length} bytes, too few for a safetensors file.`);
  const length = new DataView(prefix.buffer, prefix.byteOffset, PREFIX_BYTES).getBigUint64(0, true);
  if (length > BigInt(MOST_HEADER_BYTES)) throw new NotSafetensors('Its first 8 bytes are not the length of a safetensors header.');
  return Number(length);
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
const isSize = (value: unknown): value is number => typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
/** Fits GraphQL's Int. No tensor has a longer dimension. */
const isDimension = (value: unknown): value is number => isSize(value) && value < 2 ** 31;

/**
 * Parses the header. Throws NotSafetensors. It does not check the layout of the tensors:
 * `layoutProblems` does.
 */
export function parseHeader(bytes: Uint8Array, length: number): SafetensorsHeader {
  if (bytes.length < length) throw new NotSafetensors(`The file ends within its header, which has ${length} bytes.`);
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch {
    throw new NotSafetensors('Its header is not JSON.');
  }
  if (!isRecord(header)) throw new NotSafetensors('Its header is not a JSON object.');
  const { __metadata__: metadata = {}, ...tensors } = header;
  if (!isRecord(metadata)) throw new NotSafetensors('The __metadata__ of its header is not an object.');
  return { metadata, entries: Object.entries(tensors).map(([name, description]) => parseEntry(name, description)) };
}

function parseEntry(name: string, description: unknown): TensorEntry {
  const refuse = (what: string): never => {
    throw new NotSafetensors(`Tensor ${JSON.stringify(name)} has no ${what} in the header.`);
  };
  // Invalid Unicode could not be sent in an answer.
  if (!name.isWellFormed()) return refuse('name in Unicode');
  if (!isRecord(description)) return refuse('description');
  const { dtype, shape, data_offsets: offsets } = description;
  if (typeof dtype !== 'string' || !dtype.isWellFormed()) return refuse('dtype');
  if (!Array.isArray(shape) || !shape.every(isDimension)) return refuse('shape of whole numbers');
  const [start, end]: unknown[] = Array.isArray(offsets) ? offsets : [];
  if (!isSize(start) || !isSize(end) || end < start) return refuse('data_offsets of two whole numbers in order');
  return { name, dtype, shape, start, end };
}

/** Sorted by the position of their bytes. */
export const inOrder = (entries: readonly TensorEntry[]): TensorEntry[] => entries.toSorted((a, b) => a.start - b.start || a.end - b.end);

/**
 * Checks the layout of the tensors in a file with this many bytes of data. Each tensor must have
 * the size that its shape and dtype give. Together they must cover the data without gaps, overlaps
 * or a rest. If the list is empty, tensors can be read by their offsets.
 */
export function layoutProblems({ entries }: SafetensorsHeader, dataBytes: number): string[] {
  const problems: string[] = [];
  let before: TensorEntry | null = null;
  for (const entry of inOrder(entries)) {
    const { dtype, shape, start, end } = entry;
    const name = `Tensor ${JSON.stringify(entry.name)}`;
    const size = dtypeBytes[dtype];
    if (size === undefined) problems.push(`${name} has dtype ${dtype}, which the gateway does not know.`);
    else if (end - start !== elementCount(shape) * size)
      problems.push(
        `${name} of ${dtype} and shape [${shape.join(', ')}] takes ${elementCount(shape) * size} bytes; its offsets span ${end - start}.`,
      );
    const from: number = before?.end ?? 0;
    if (start < from) problems.push(`${name} overlaps tensor ${JSON.stringify(before?.name)}.`);
    if (start > from) problems.push(`${name} comes after ${start - from} bytes that belong to no tensor.`);
    if (end > dataBytes) problems.push(`${name} ends at byte ${end} of the data, of which the file has ${dataBytes}: it is cut short.`);
    if (!before || end >= before.end) before = entry;
  }
  const rest = dataBytes - (before?.end ?? 0);
  if (rest > 0) problems.push(`The file has ${rest} bytes after its last tensor.`);
  return problems;
}

/**
 * The first bytes of a file with these tensors in this order: length and header, padded to a
 * multiple of 8.
 */
export function writeHeader(
  tensors: readonly Pick<TensorEntry, 'name' | 'dtype' | 'shape'>[],
  metadata: Readonly<Record<string, unknown>>,
): Uint8Array {
  let at = 0;
  const described = tensors.map(({ name, dtype, shape }) => {
    const start = at;
    at += elementCount(shape) * (dtypeBytes[dtype] ?? 0);
    return [name, { dtype, shape, data_offsets: [start, at] }] as const;
  });
  // Object.fromEntries, because a tensor may be called __proto__.
  const header = Object.fromEntries(Object.keys(metadata).length > 0 ? [['__metadata__', metadata] as const, ...described] : described);
  const json = Buffer.from(JSON.stringify(header));
  const bytes = Buffer.alloc(PREFIX_BYTES + Math.ceil(json.length / 8) * 8, ' ');
  bytes.writeBigUInt64LE(BigInt(bytes.length - PREFIX_BYTES));
  json.copy(bytes, PREFIX_BYTES);
  return bytes;
}
