/**
 * Federated averaging: makes one model of several, tensor by tensor and piece by piece, so memory
 * does not depend on the size or number of models. Runs in its own thread.
 *
 * Sums are in double precision. Each mean is rounded once to the tensor's own type, to nearest with
 * ties to even. Integers and booleans are not averaged: they are taken from the model with the
 * largest weight.
 */
import { dtypeBytes, inOrder, NotSafetensors, type TensorEntry, writeHeader } from '../domain/files/safetensors-header.ts';
import type { BlockingFile } from '../store/files/file-store.ts';
import { differencesOf, shorten } from './differences.ts';
import { type FloatType, floatTypes, isWholeType } from './floats.ts';
import { type ModelFile, readModel } from './safetensors.ts';

export interface ModelToAverage {
  readonly file: BlockingFile;
  /** Its name in messages: `the model of device edge-3`. */
  readonly label: string;
  /** Above 0: the number of samples it was trained with, or 1. */
  readonly weight: number;
}

/** These models have no mean. The message says which tensor of which model prevents it. */
export class NoMean extends Error {}

/** Small enough that hashing one blocks nobody, large enough that reading one is worth the call. */
const PIECE_BYTES = 256 * 1024;

interface Opened extends Omit<ModelToAverage, 'file'> {
  readonly file: ModelFile;
  readonly entries: ReadonlyMap<string, TensorEntry>;
}

/**
 * Yields the bytes of the mean and closes the files. Each array is valid until the next one is
 * requested. Throws NoMean.
 */
export function* averageModels(models: readonly ModelToAverage[]): Generator<Uint8Array> {
  const opened: Opened[] = [];
  try {
    for (const model of models) opened.push(openOne(model));
    const [first, ...others] = opened;
    if (!first) throw new NoMean('There are no models to average.');
    for (const other of others) requireSame(first, other);
    const tensors = inOrder(first.file.header.entries);
    yield writeHeader(tensors, sharedMetadata(opened));
    const averaging = new Averaging([first, ...others]);
    for (const tensor of tensors) yield* averaging.of(tensor);
  } finally {
    for (const { file } of models) file.close();
  }
}

function openOne(model: ModelToAverage): Opened {
  try {
    const file = readModel(model.file);
    if (file.problems.length > 0) throw new NotSafetensors(shorten(file.problems).join(' '));
    return { ...model, file, entries: new Map(file.header.entries.map((entry) => [entry.name, entry])) };
  } catch (error) {
    if (error instanceof NotSafetensors) throw new NoMean(`${model.label} cannot be read: ${error.message}`);
    throw error;
  }
}

function requireSame(first: Opened, other: Opened): void {
  const differences = differencesOf(other.file.header.entries, first.file.header.entries, first.label);
  if (differences.length > 0) throw new NoMean(`${other.label} does not fit: ${shorten(differences).join(' ')}`);
}

/** The metadata on which all files agree. */
function sharedMetadata([first, ...others]: readonly Opened[]): Record<string, unknown> {
  const entries = Object.entries(first?.file.header.metadata ?? {});
  return Object.fromEntries(
    entries.filter(([key, value]) => others.every(({ file }) => JSON.stringify(file.header.metadata[key]) === JSON.stringify(value))),
  );
}

/**
 * A power of two, so values large enough for it lose nothing. Small enough for a thousand models of
 * two billion samples each.
 */
const DOWNSCALE = 2 ** -64;

class Averaging {
  readonly #models: readonly Opened[];
  readonly #heaviest: Opened;
  readonly #total: number;
  readonly #input = new Uint8Array(PIECE_BYTES);
  readonly #output = new Uint8Array(PIECE_BYTES);
  /** Sized for the smallest type: two bytes. */
  readonly #sums = new Float64Array(PIECE_BYTES / 2);

  constructor(models: readonly [Opened, ...Opened[]]) {
    this.#models = models;
    this.#heaviest = models.reduce((heaviest, model) => (model.weight > heaviest.weight ? model : heaviest));
    this.#total = models.reduce((sum, { weight }) => sum + weight, 0);
  }

  *of(tensor: TensorEntry): Generator<Uint8Array> {
    const type = floatTypes[tensor.dtype];
    for (let from = 0; from < tensor.end - tensor.start; from += PIECE_BYTES) {
      const length = Math.min(PIECE_BYTES, tensor.end - tensor.start - from);
      if (type) this.#average(tensor, type, from, length);
      else if (isWholeType(tensor.dtype)) this.#take(tensor, from, length);
      else this.#copy(tensor, from, length);
      yield this.#output.subarray(0, length);
    }
  }

  #average(tensor: TensorEntry, type: FloatType, from: number, length: number): void {
    const piece = { from, length, count: length / (dtypeBytes[tensor.dtype] ?? 1) };
    const means = this.#sums;
    this.#sum(tensor, type, piece, 1, means);
    let overflows = false;
    for (let k = 0; k < piece.count; k++) {
      const mean = (means[k] ?? 0) / this.#total;
      if (!Number.isFinite(mean)) overflows = true;
      means[k] = mean;
    }
    if (overflows) this.#replaceOverflows(tensor, type, piece);
    type.encode(means, piece.count, this.#output.buffer);
  }

  #sum(tensor: TensorEntry, type: FloatType, { from, length, count }: Piece, scale: number, sums: Float64Array): void {
    for (const [i, model] of this.#models.entries()) {
      const { weight } = model;
      const values = type.decode(this.#read(model, tensor, from, length), count);
      // The first is set, not added to zero, because the sum of negative zeros is negative.
      if (i === 0) for (let k = 0; k < count; k++) sums[k] = (values[k] ?? 0) * scale * weight;
      else for (let k = 0; k < count; k++) sums[k] = (sums[k] ?? 0) + (values[k] ?? 0) * scale * weight;
    }
  }

  /**
   * The sum of the largest doubles overflows, though their mean does not. Such sums are computed
   * again with scaled terms, which are exact at that size.
   */
  #replaceOverflows(tensor: TensorEntry, type: FloatType, piece: Piece): void {
    this.#requireFinite(tensor, type, piece);
    const scaled = new Float64Array(piece.count);
    this.#sum(tensor, type, piece, DOWNSCALE, scaled);
    for (const [k, sum] of scaled.entries()) {
      const mean = sum / this.#total / DOWNSCALE;
      if (!Number.isFinite(this.#sums[k])) this.#sums[k] = Math.max(-Number.MAX_VALUE, Math.min(Number.MAX_VALUE, mean));
    }
  }

  #requireFinite(tensor: TensorEntry, type: FloatType, { from, length, count }: Piece): void {
    for (const model of this.#models) {
      const wrong = type.decode(this.#read(model, tensor, from, length), count).find((value) => !Number.isFinite(value));
      if (wrong !== undefined) throw new NoMean(`${model.label} has ${wrong} in tensor ${JSON.stringify(tensor.name)}.`);
    }
  }

  /**
   * Takes values from the model with the largest weight, the first of several: a batch norm's
   * counter differs between devices.
   */
  #take(tensor: TensorEntry, from: number, length: number): void {
    this.#read(this.#heaviest, tensor, from, length);
    this.#output.set(this.#input.subarray(0, length));
  }

  /**
   * Copies types that cannot be averaged, if all models agree. A submission that differs was
   * refused.
   */
  #copy(tensor: TensorEntry, from: number, length: number): void {
    for (const [i, model] of this.#models.entries()) {
      this.#read(model, tensor, from, length);
      const bytes = this.#input.subarray(0, length);
      if (i === 0) this.#output.set(bytes);
      else if (Buffer.compare(bytes, this.#output.subarray(0, length)) !== 0) {
        const [first] = this.#models;
        throw new NoMean(
          `Tensor ${JSON.stringify(tensor.name)} of ${tensor.dtype} has no mean, and is not the same in all models: ${model.label} differs from ${first?.label}.`,
        );
      }
    }
  }

  #read({ file, entries }: Pick<Opened, 'file' | 'entries'>, { name }: TensorEntry, from: number, length: number): ArrayBuffer {
    const entry = entries.get(name);
    if (!entry) throw new Error(`All models have the tensors of the first: ${name}`);
    file.read(entry, from, this.#input.subarray(0, length));
    return this.#input.buffer;
  }
}

interface Piece {
  readonly from: number;
  readonly length: number;
  readonly count: number;
}
