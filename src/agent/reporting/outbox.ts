import { closeSync, mkdirSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { ReportProgressInput } from '../../client/generated.ts';
import type { MetricEntry } from '../files/metrics.ts';
import type { TelemetryEntry } from '../machine/telemetry.ts';
import type { LogEntry } from './log.ts';

/** One thing that a running step has to say. */
export type OutboxEntry =
  | ({ readonly kind: 'log' } & LogEntry)
  | ({ readonly kind: 'metric' } & MetricEntry)
  | ({ readonly kind: 'telemetry' } & TelemetryEntry)
  | ({ readonly kind: 'state' } & StateEntry);

/** What is true of the step from now on: when it began to compute, where it is to be found. The newest counts. */
export type StateEntry = Pick<ReportProgressInput, 'computeTime' | 'httpUrl' | 'internalHostname' | 'reason' | 'description'>;

/** The oldest entries that are not delivered, and how far they reach. */
export interface OutboxBatch {
  readonly entries: readonly OutboxEntry[];
  /** Of each entry, its bytes in the file. */
  readonly sizes: readonly number[];
}

interface Segment {
  readonly path: string;
  readonly file: number;
  size: number;
  /** Bytes of it that are delivered. */
  delivered: number;
}

export interface OutboxLimits {
  /** Undelivered bytes on disk; what comes beyond is refused. */
  readonly totalBytes: number;
  /** A file of the outbox is given back to the disk when all of it is delivered; so this is what a delivered entry can hold on to. */
  readonly segmentBytes: number;
  /** One batch: far under the gateway's limit for a request's body (1 MB), and above the longest entry (a chunk of 16 KB, each byte escaped). */
  readonly batchBytes: number;
  readonly batchEntries: number;
}

/** A gateway that is away for a day while a step prints 3 KB a second loses nothing. */
export const defaultOutboxLimits: OutboxLimits = {
  totalBytes: 256 * 1024 * 1024,
  segmentBytes: 4 * 1024 * 1024,
  batchBytes: 256 * 1024,
  batchEntries: 400,
};

/**
 * What a step has to say and has not said yet, in order, on disk: lines of JSON in files that are only appended to, so a gateway that is away for hours
 * costs no memory. Adding is synchronous (a write to the page cache): the order of adding is the order of delivery, and nothing waits in between.
 *
 * At least once: an entry is dropped only after the answer to its delivery, so one whose answer was lost is delivered again. The
 * gateway makes that once: a log chunk by its offset, a metric by name and iteration, a sample by its time, each of this attempt.
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

  /** Whether it is filling up: a quarter of what it can take is there. */
  get isCrowded(): boolean {
    return this.#undelivered > this.#limits.totalBytes / 4;
  }

  /** Nothing more will be added. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** Entries refused since the last time this was asked; 0 as long as there is no room to tell of them. */
  takeRefused(): number {
    if (this.#undelivered > this.#limits.totalBytes / 2) return 0;
    const refused = this.#refused;
    this.#refused = 0;
    return refused;
  }

  /** Keeps an entry. False when there is no room for it, here or on the disk: it is then not delivered. */
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

  /** Says that nothing more will be added. */
  end(): void {
    this.#isEnded = true;
    this.#wake();
  }

  /** Resolves when there is something to deliver, or nothing more will come. */
  hasEntries(): Promise<void> {
    return this.isEmpty && !this.#isEnded ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve();
  }

  /** The oldest undelivered entries, at most `maxEntries`; the same ones again until they are dropped. */
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

  /** Forgets the oldest entries: those of a batch that was answered. */
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

  /** Gives the disk back. What is not delivered is gone. */
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
      // At its place and not at the file's end: half of a line that a full disk left is overwritten by the next one.
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
