/** A safetensors file that is read piece by piece, in a thread where waiting for the disk holds up nobody. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import {
  headerLengthOf,
  layoutProblems,
  NotSafetensors,
  PREFIX_BYTES,
  parseHeader,
  type SafetensorsHeader,
  type TensorEntry,
} from '../domain/files/safetensors-header.ts';

export interface ModelFile {
  readonly header: SafetensorsHeader;
  /** What keeps its tensors from being read: see `layoutProblems`. */
  readonly problems: readonly string[];
  /** Fills `bytes` with those of the tensor from its byte `from` on. Throws NotSafetensors when they are not all there. */
  read(entry: TensorEntry, from: number, bytes: Uint8Array): void;
  close(): void;
}

/** Throws NotSafetensors, and Node's error where the file cannot be opened. */
export function openModel(path: string): ModelFile {
  const file = openSync(path, 'r');
  try {
    const headerLength = headerLengthOf(readAt(file, 0, PREFIX_BYTES));
    const dataStart = PREFIX_BYTES + headerLength;
    const header = parseHeader(readAt(file, PREFIX_BYTES, headerLength), headerLength);
    return {
      header,
      problems: layoutProblems(header, fstatSync(file).size - dataStart),
      read(entry, from, bytes) {
        if (fill(file, dataStart + entry.start + from, bytes) < bytes.length)
          throw new NotSafetensors(`Tensor ${JSON.stringify(entry.name)} is cut short.`);
      },
      close: () => closeSync(file),
    };
  } catch (error) {
    closeSync(file);
    throw error;
  }
}

function readAt(file: number, position: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  return bytes.subarray(0, fill(file, position, bytes));
}

/** Answers how many bytes there were: fewer at the end of the file. */
function fill(file: number, position: number, bytes: Uint8Array): number {
  let filled = 0;
  while (filled < bytes.length) {
    const count = readSync(file, bytes, filled, bytes.length - filled, position + filled);
    if (count === 0) break;
    filled += count;
  }
  return filled;
}
