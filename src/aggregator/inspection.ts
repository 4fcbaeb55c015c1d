/**
 * Finds what is wrong with a submitted model by reading all of it, piece by piece. Runs in its own
 * thread.
 */
import { elementCount, NotSafetensors, type TensorEntry } from '../domain/files/safetensors-header.ts';
import type { BlockingFile } from '../store/files/file-store.ts';
import { differencesOf, shorten } from './differences.ts';
import { type FloatType, floatTypes, isWholeType } from './floats.ts';
import { type ModelFile, readModel } from './safetensors.ts';

const PIECE_BYTES = 256 * 1024;

/**
 * One sentence for each problem, naming the tensor. Empty if there is none. Closes the files.
 * `isAveraged`: the gateway averages this model, so tensors without a mean must equal those of the
 * start model.
 */
export function findProblems(file: BlockingFile, start: BlockingFile | null, isAveraged: boolean): string[] {
  return reading(file, 'The model is not a safetensors file', (model) => {
    if (model.problems.length > 0) return shorten(model.problems);
    const differences = start === null ? [] : differencesFromStart(model, start, isAveraged);
    return shorten([...differences, ...wrongNumbers(model)]);
  });
}

const differencesFromStart = (model: ModelFile, startFile: BlockingFile, isAveraged: boolean): string[] =>
  reading(startFile, 'It cannot be compared with the start model, which is not a safetensors file', (start) => {
    const differences = differencesOf(model.header.entries, start.header.entries, 'the start model');
    return differences.length > 0 || !isAveraged ? differences : [...withoutMean(model, start)];
  });

/** The tensors that the gateway cannot average and that have changed. */
function* withoutMean(model: ModelFile, start: ModelFile): Generator<string> {
  const startEntries = new Map(start.header.entries.map((entry) => [entry.name, entry]));
  for (const entry of model.header.entries) {
    const startEntry = startEntries.get(entry.name);
    if (floatTypes[entry.dtype] || isWholeType(entry.dtype) || !startEntry) continue;
    if (!isSame(model, entry, start, startEntry))
      yield `Tensor ${JSON.stringify(entry.name)} of ${entry.dtype} has no mean here: it must stay as it is in the start model.`;
  }
}

function isSame(one: ModelFile, entry: TensorEntry, other: ModelFile, otherEntry: TensorEntry): boolean {
  const length = entry.end - entry.start;
  for (let at = 0; at < length; at += PIECE_BYTES) {
    const own = new Uint8Array(Math.min(PIECE_BYTES, length - at));
    const others = new Uint8Array(own.length);
    one.read(entry, at, own);
    other.read(otherEntry, at, others);
    if (Buffer.compare(own, others) !== 0) return false;
  }
  return true;
}

function reading(file: BlockingFile, failure: string, work: (model: ModelFile) => string[]): string[] {
  try {
    return work(readModel(file));
  } catch (error) {
    if (error instanceof NotSafetensors) return [`${failure}: ${error.message}`];
    throw error;
  } finally {
    file.close();
  }
}

function* wrongNumbers(model: ModelFile): Generator<string> {
  const bytes = new Uint8Array(PIECE_BYTES);
  for (const entry of model.header.entries) {
    const type = floatTypes[entry.dtype];
    const problem = type && wrongNumbersOf(model, entry, type, bytes);
    if (problem) yield problem;
  }
}

/** NaN and infinity: one of them in one model makes the mean useless. */
function wrongNumbersOf(model: ModelFile, entry: TensorEntry, type: FloatType, bytes: Uint8Array<ArrayBuffer>): string | null {
  const elementBytes = (entry.end - entry.start) / Math.max(1, elementCount(entry.shape));
  let count = 0;
  let first: { position: number; value: number } | null = null;
  for (let at = 0; at < entry.end - entry.start; at += PIECE_BYTES) {
    const piece = bytes.subarray(0, Math.min(PIECE_BYTES, entry.end - entry.start - at));
    model.read(entry, at, piece);
    const values = type.decode(bytes.buffer, piece.length / elementBytes);
    for (let i = 0; i < values.length; i++) {
      const value = values[i] ?? 0;
      if (Number.isFinite(value)) continue;
      first ??= { position: at / elementBytes + i, value };
      count += 1;
    }
  }
  if (!first) return null;
  const others = count > 1 ? `, and ${count - 1} more that are not finite` : '';
  return `Tensor ${JSON.stringify(entry.name)} has ${first.value} at [${indexOf(entry.shape, first.position).join(', ')}]${others}.`;
}

/** An element's index, row-major. */
function indexOf(shape: readonly number[], position: number): number[] {
  let left = position;
  return shape
    .toReversed()
    .map((size) => {
      const index = left % size;
      left = Math.floor(left / size);
      return index;
    })
    .toReversed();
}
