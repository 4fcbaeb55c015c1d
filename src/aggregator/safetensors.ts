/**
 * Reads a safetensors file piece by piece, in a thread where waiting for the disk blocks nobody.
 */
import {
  headerLengthOf,
  layoutProblems,
  NotSafetensors,
  PREFIX_BYTES,
  parseHeader,
  type SafetensorsHeader,
  type TensorEntry,
} from '../domain/files/safetensors-header.ts';
import type { BlockingFile } from '../store/files/file-store.ts';

export interface ModelFile {
  readonly header: SafetensorsHeader;
  /** Why its tensors cannot be read: see `layoutProblems`. */
  readonly problems: readonly string[];
  /**
   * Fills `bytes` from the tensor's byte `from` on. Throws NotSafetensors if the file is too short.
   */
  read(entry: TensorEntry, from: number, bytes: Uint8Array): void;
}

/** Reads the header. Throws NotSafetensors. */
export function readModel(file: BlockingFile): ModelFile {
  const headerLength = headerLengthOf(readAt(file, 0, PREFIX_BYTES));
  const dataStart = PREFIX_BYTES + headerLength;
  const header = parseHeader(readAt(file, PREFIX_BYTES, headerLength), headerLength);
  return {
    header,
    problems: layoutProblems(header, file.sizeBytes - dataStart),
    read(entry, from, bytes) {
      if (file.read(dataStart + entry.start + from, bytes) < bytes.length)
        throw new NotSafetensors(`Tensor ${JSON.stringify(entry.name)} is cut short.`);
    },
  };
}

function readAt(file: BlockingFile, position: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  return bytes.subarray(0, file.read(position, bytes));
}
