import { closeSync, mkdirSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { ReportProgressInput } from '../../client/generated.ts';
import type { MetricEntry } from '../files/metrics.ts';
import type { TelemetryEntry } from '../machine/telemetry.ts';
import type { LogEntry } from './log.ts';

/** One thing that a running step reports. */
export type OutboxEntry =
  | ({ readonly kind: 'log' } & LogEntry)
  | ({ readonly kind: 'metric' } & MetricEntry)
  | ({ readonly kind: 'telemetry' } & TelemetryEntry)
  | ({ readonly kind: 'state' } & StateEntry);

/**
 * What is true of the step from now on: when it began to compute, where it is reached. The newest
 * counts.
 */
export type StateEntry = Pick<ReportProgressInput, 'computeTime' | 'httpUrl' | 'gitCommit' | 'internalHostname' | 'reason' | 'description'>;

/** The oldest undelivered entries and their sizes. */
export interface OutboxBatch {
  readonly entries: readonly OutboxEntry[];
  /** The bytes of each entry in the file. */
  readonly sizes: readonly number[];
}

interface Segment {
  readonly path: string;
  readonly file: number;
  size: number;
  /** Bytes already delivered. */
  delivered: number;
}

export interface OutboxLimits {
  /** Undelivered bytes on disk. Entries beyond that are refused. */
  readonly totalBytes: number;
  /**
   * A segment is deleted when all of it is delivered, so a delivered entry holds at most this much
   * disk.
   */
  readonly segmentBytes: number;
  /**
   * The size of a batch: far below the gateway's limit for a request's body (1 MB), and above the
   * longest entry (a chunk of 16 KB, each byte escaped).
   */
  readonly batchBytes: number;
  readonly batchEntries: number;
}

/** Nothing is lost if the gateway is away for a day while a step prints 3 KB a second. */
export const defaultOutboxLimits: OutboxLimits = {
  totalBytes: 256 * 1024 * 1024,
  segmentBytes: 4 * 1024 * 1024,
  batchBytes: 256 * 1024,
  batchEntries: 400,
};

/**
 * A step's undelivered reports, in order, on disk: lines of JSON in append-only files, so a gateway
 * that is away for hours costs no memory. Adding is synchronous (a write to the page cache):
 * entries are delivered in the order they were added.
 *
 * Delivery is at least once: an entry is dropped only after its report was answered, so it is
 * delivered again if the answer was lost. The gateway removes duplicates: of a log chunk by its
 * offset, of a metric by name and iteration, of a sample by its time, each within the attempt.
 */
export class Outbox {
  readonly #folder: string;
  readonly #limits: OutboxLimits;
  readonly #segments: Segment[] = [];
  #nextSegment = 0;
  #undelivered = 0;
  #refused = 0;
  #isEnded = false;
  readonly #waiting: Array<() => void> = [];

  constructor(folder: string, limits: OutboxLimits = defaultOutboxLimits) {
    this.#folder = folder;
    this.#limits = limits;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  }

  get isEmpty(): boolean {
    return this.#undelivered === 0;
  }

  /** Whether it is filling up: a quarter of its limit is used. */
  get isCrowded(): boolean {
    return this.#undelivered > this.#limits.totalBytes / 4;
  }

  /** Whether nothing more will be added. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** Entries refused since the last call. 0 while there is no room to report them. */
  takeRefused(): number {
    if (this.#undelivered > this.#limits.totalBytes / 2) return 0;
    const refused = this.#refused;
    this.#refused = 0;
    return refused;
  }

  /**
   * Adds an entry. False if there is no room for it, here or on the disk: it is then not delivered.
   */
  add(entry: OutboxEntry): boolean {
    const line = Buffer.from(`${JSON.stringify(entry)}\n`);
    if (this.#undelivered + line.length > this.#limits.totalBytes || !this.#append(line)) {
      this.#refused += 1;
      return false;
    }
    this.#undelivered += line.length;
    this.#wake();
    return true;
  }

  /** Marks that nothing more will be added. */
  end(): void {
    this.#isEnded = true;
    this.#wake();
  }

  /** Resolves when there is something to deliver, or nothing more will come. */
  hasEntries(): Promise<void> {
    return this.isEmpty && !this.#isEnded ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve();
  }

  /**
   * The oldest undelivered entries, at most `maxEntries`. Returns the same ones until they are
   * dropped.
   */
  peek(maxEntries: number = this.#limits.batchEntries): OutboxBatch {
    const segment = this.#segments[0];
    if (segment === undefined) return { entries: [], sizes: [] };
    const buffer = Buffer.alloc(Math.min(this.#limits.batchBytes, segment.size - segment.delivered));
    const length = readSync(segment.file, buffer, 0, buffer.length, segment.delivered);
    const entries: OutboxEntry[] = [];
    const sizes: number[] = [];
    let start = 0;
    for (let end = buffer.indexOf(0x0a); end >= 0 && end < length && entries.length < maxEntries; end = buffer.indexOf(0x0a, start)) {
      // Only `add` writes to this file.
      entries.push(JSON.parse(buffer.toString('utf8', start, end)) as OutboxEntry);
      sizes.push(end + 1 - start);
      start = end + 1;
    }
    return { entries, sizes };
  }

  /** Removes the oldest entries: those of a batch that was answered. */
  drop(batch: OutboxBatch): void {
    const bytes = batch.sizes.reduce((sum, size) => sum + size, 0);
    const segment = this.#segments[0];
    if (segment === undefined) return;
    segment.delivered += bytes;
    this.#undelivered -= bytes;
    if (segment.delivered < segment.size) return;
    this.#segments.shift();
    removeSegment(segment);
  }

  /** Deletes the files. What is not delivered is gone. */
  close(): void {
    for (const segment of this.#segments.splice(0)) removeSegment(segment);
    this.#undelivered = 0;
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  #append(line: Buffer): boolean {
    try {
      const segment = this.#writableSegment(line.length);
      // At its position instead of the file's end: the next line overwrites half a line that a full
      // disk left.
      const written = writeSync(segment.file, line, 0, line.length, segment.size);
      if (written < line.length) return false;
      segment.size += line.length;
      return true;
    } catch {
      return false;
    }
  }

  #writableSegment(bytes: number): Segment {
    const last = this.#segments.at(-1);
    if (last !== undefined && (last.size === 0 || last.size + bytes <= this.#limits.segmentBytes)) return last;
    const path = join(this.#folder, `${this.#nextSegment++}.jsonl`);
    const segment = { path, file: openSync(path, 'wx+', 0o600), size: 0, delivered: 0 };
    this.#segments.push(segment);
    return segment;
  }
}

function removeSegment(segment: Segment): void {
  closeSync(segment.file);
  rmSync(segment.path, { force: true });
}
