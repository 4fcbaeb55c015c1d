import { hash } from 'node:crypto';
import type { Stats } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { quoteName } from '../../text/acceptable.ts';
import { NotPlain } from './directory.ts';
import { type MetricEntry, parseMetricsLine } from './metrics.ts';
import { Notes } from './notes.ts';

/** Whatever file has this name now. The next time it may be another one. */
export interface NamedFile {
  /** Its stats, without opening it. Null if there is none. */
  look(): Promise<Stats | null>;
  /** Opens it for reading. Null if there is none. Rejects if it is not a plain file. */
  open(): Promise<FileHandle | null>;
}

/**
 * Twenty times a second: the file of a script that rewrites it at each epoch is read between two
 * epochs, unless those are shorter.
 */
export const metricsMilliseconds = 50;

/** A longer line is a mistake, not a metric, and must not fill the memory. */
const maxLineBytes = 64 * 1024;
const readBytes = 256 * 1024;
/**
 * For one attempt, including what is read again. More than a history of ten million points, and a
 * limit for sparse files.
 */
const maxBytes = 2 * 1024 ** 3;
/** The gateway's own limit for a job is lower. */
const maxNames = 10_000;
/**
 * Kept from the beginning and the end of what was read: enough to see whether the file was
 * rewritten.
 */
const printBytes = 4 * 1024;
/** More lines than this are not remembered. */
const maxKnownLines = 1_000_000;

/** How far one content of the file was read. */
class ReadPosition {
  position = 0;
  lineNumber = 0;
  /** When the file was last changed, as of the last read. */
  changedAt = '';
  head = Buffer.alloc(0);
  tail = Buffer.alloc(0);
  rest = Buffer.alloc(0);
  isSkipping = false;
  /** Hashes of its lines so far, without the empty ones. */
  readonly lines: number[] = [];

  take(bytes: Buffer): void {
    this.position += bytes.length;
    if (this.head.length < printBytes) this.head = Buffer.concat([this.head, bytes]).subarray(0, printBytes);
    this.tail = Buffer.concat([this.tail, bytes.subarray(-printBytes)]).subarray(-printBytes);
  }
}

/**
 * Follows the file that TRAINYARD_METRICS names, as `tail -F` does: also when it is truncated,
 * rewritten or replaced.
 *
 * A script may rewrite its whole history each time: lines repeated at the same place are not
 * reported again. A line without an iteration gets, for each metric, the next one of that name,
 * starting at 0. So each point has its own place on the curve, and a point that is delivered twice
 * after a lost answer is recognized.
 */
export class MetricsReader {
  readonly #named: NamedFile;
  readonly #keep: (entry: MetricEntry) => void;
  readonly #notes: Notes;
  readonly #lastIterations = new Map<string, number>();
  readonly #failures = new Set<string>();
  #file: FileHandle | null = null;
  #place = new ReadPosition();
  /** The lines of the previous content, while this one repeats them. */
  #known: readonly number[] = [];
  #readBytes = 0;
  #hasEnded = false;
  #reading: Promise<void> = Promise.resolve();

  /** `note` receives what is wrong with a line, for the step's log. */
  constructor(named: NamedFile, keep: (entry: MetricEntry) => void, note: (line: string) => void) {
    this.#named = named;
    this.#keep = keep;
    this.#notes = new Notes(note);
  }

  /**
   * Reads new lines, complete ones only. Never rejects: a file that cannot be read is noted once.
   */
  read(): Promise<void> {
    this.#reading = this.#reading.then(() => this.#readNew()).catch((error) => this.#fail(error));
    return this.#reading;
  }

  /**
   * Reads the rest, takes an unfinished last line as a line, and closes the file. Does nothing the
   * second time.
   */
  async end(): Promise<void> {
    await this.read();
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#takeRest();
    this.#notes.end('metrics');
    await this.#file?.close();
    this.#file = null;
  }

  #fail(error: Error): void {
    const reason = error instanceof NotPlain ? error.message : `cannot be read: ${'code' in error ? error.code : error.message}`;
    if (!this.#failures.has(reason)) this.#notes.add(`The metrics file ${reason}.`);
    this.#failures.add(reason);
  }

  async #readNew(): Promise<void> {
    if (this.#hasEnded) return;
    const seen = await this.#named.look();
    const held = await this.#file?.stat();
    if (seen === null || held === undefined || seen.ino !== held.ino || seen.dev !== held.dev) {
      // The previous file may have been written to until now.
      if (held !== undefined) await this.#readTo(held);
      if (seen !== null) await this.#openNext();
    }
    if (this.#file !== null) await this.#readTo(await this.#file.stat());
  }

  async #openNext(): Promise<void> {
    const next = await this.#named.open();
    if (next === null) return;
    await this.#file?.close();
    this.#beginAnew();
    this.#file = next;
  }

  /**
   * Reads the open file up to its size in `stats`, so that reading ends however fast the file
   * grows.
   */
  async #readTo(stats: Stats): Promise<void> {
    if (await this.#isRewritten(stats)) this.#beginAnew();
    this.#place.changedAt = changeOf(stats);
    while (this.#place.position < stats.size) {
      if (this.#readBytes >= maxBytes) throw new NotPlain(`has more than ${maxBytes} bytes: the rest is ignored`);
      const bytes = await this.#readAt(this.#place.position, Math.min(readBytes, stats.size - this.#place.position));
      if (bytes.length === 0) break;
      this.#readBytes += bytes.length;
      this.#place.take(bytes);
      this.#takeBytes(bytes);
    }
    // No beginning of a JSON object is itself one. So an object is complete even without a line
    // break.
    if (this.#place.rest.at(-1) === closingBrace && parseMetricsLine(this.#place.rest.toString('utf8')).isObject) this.#takeRest();
  }

  /**
   * Whether the file was rewritten: it is shorter, or it changed and other bytes stand where it was
   * read.
   */
  async #isRewritten(stats: Stats): Promise<boolean> {
    const { position, changedAt, head, tail } = this.#place;
    if (stats.size < position) return true;
    if (position === 0 || changedAt === changeOf(stats)) return false;
    const isThere = async (bytes: Buffer, at: number) => (await this.#readAt(at, bytes.length)).equals(bytes);
    return !((await isThere(head, 0)) && (await isThere(tail, position - tail.length)));
  }

  async #readAt(position: number, length: number): Promise<Buffer> {
    const buffer = Buffer.allocUnsafe(length);
    const answer = await this.#file?.read(buffer, 0, length, position);
    return buffer.subarray(0, answer?.bytesRead ?? 0);
  }

  #beginAnew(): void {
    this.#takeRest();
    const { lines } = this.#place;
    // A rewrite that was itself rewritten before it repeated everything adds nothing to what is
    // known.
    if (lines.some((line, i) => line !== this.#known[i])) this.#known = lines;
    this.#place = new ReadPosition();
  }

  #takeBytes(bytes: Buffer): void {
    const place = this.#place;
    const all = place.rest.length === 0 ? bytes : Buffer.concat([place.rest, bytes]);
    let start = 0;
    for (let end = all.indexOf(lineFeed); end >= 0; end = all.indexOf(lineFeed, start)) {
      if (place.isSkipping) place.isSkipping = false;
      else this.#takeLine(all.subarray(start, end));
      start = end + 1;
    }
    place.rest = Buffer.from(all.subarray(start));
    if (place.rest.length <= maxLineBytes) return;
    if (!place.isSkipping) this.#notes.add(`Metrics, line ${++place.lineNumber}: longer than ${maxLineBytes} bytes, ignored.`);
    place.isSkipping = true;
    place.rest = Buffer.alloc(0);
  }

  #takeRest(): void {
    const { rest } = this.#place;
    this.#place.rest = Buffer.alloc(0);
    if (rest.length > 0 && !this.#place.isSkipping) this.#takeLine(rest);
  }

  #takeLine(line: Buffer): void {
    this.#place.lineNumber += 1;
    // A truncated file begins with NULs if the script goes on writing at its old position.
    const text = line.toString('utf8').replace(/^\0+/, '').trim();
    if (text === '' || this.#isRepeated(text)) return;
    const at = new Date().toISOString();
    const parsed = parseMetricsLine(text);
    for (const problem of parsed.problems) this.#notes.add(`Metrics, line ${this.#place.lineNumber}: ${problem}`);
    for (const [name, value] of parsed.values) {
      if (!this.#lastIterations.has(name) && this.#lastIterations.size >= maxNames) {
        this.#notes.add(`Metrics, line ${this.#place.lineNumber}: ${quoteName(name)} is ignored: there are ${maxNames} names already.`);
        continue;
      }
      const iteration = parsed.iteration ?? (this.#lastIterations.get(name) ?? -1) + 1;
      this.#lastIterations.set(name, iteration);
      this.#keep({ name, value, iteration, at });
    }
  }

  /** Whether this line and all before it stand where they stood in the previous content. */
  #isRepeated(text: string): boolean {
    const { lines } = this.#place;
    if (lines.length >= maxKnownLines) return false;
    const line = hash('sha1', text, 'buffer').readUIntLE(0, 6);
    const isRepeated = line === this.#known[lines.length];
    if (!isRepeated) this.#known = [];
    lines.push(line);
    return isRepeated;
  }
}

const lineFeed = 0x0a;
const closingBrace = 0x7d;

const changeOf = ({ mtimeMs, ctimeMs }: Stats) => `${mtimeMs} ${ctimeMs}`;
