import { type FileHandle, open } from 'node:fs/promises';

/** A number that a script reported. */
export interface MetricEntry {
  readonly name: string;
  readonly value: number;
  readonly iteration: number;
  readonly at: string;
}

/** A line longer than this is not a metric but a mistake, and must not fill the memory. */
const maxLineBytes = 64 * 1024;
const readBytes = 64 * 1024;

/**
 * Reads the file that TRAINYARD_METRICS names, as it grows. Each line is a JSON object: `iteration` is the iteration, every other number a
 * metric of that name. NaN and Infinity, which Python's json writes, are no values of a metric: that one metric is left out with a note, the
 * others of its line count. Text, null, booleans and nested values in a line are ignored, so a script can write its whole record.
 *
 * A line without an iteration gets, for each metric, the one after the last of that name, from 0 on: so each point has a place of its own on
 * the curve, and a point that is delivered twice after a lost answer is known as the same one.
 */
export class MetricsReader {
  readonly #path: string;
  readonly #keep: (entry: MetricEntry) => void;
  readonly #note: (line: string) => void;
  readonly #lastIterations = new Map<string, number>();
  #file: FileHandle | null = null;
  #position = 0;
  #rest = Buffer.alloc(0);
  #isSkipping = false;
  #lineNumber = 0;
  #hasFailed = false;
  #hasEnded = false;
  #reading: Promise<void> = Promise.resolve();

  /** `note` takes what is wrong with a line, for the log of the step. */
  constructor(path: string, keep: (entry: MetricEntry) => void, note: (line: string) => void) {
    this.#path = path;
    this.#keep = keep;
    this.#note = note;
  }

  /** Reads what is new. Whole lines only: one that is still being written waits for its end. Never rejects: a file that cannot be read is noted, once. */
  read(): Promise<void> {
    this.#reading = this.#reading
      .then(() => this.#readNew())
      .catch((error: Error) => {
        if (!this.#hasFailed) this.#note(`The metrics file cannot be read: ${error.message}`);
        this.#hasFailed = true;
      });
    return this.#reading;
  }

  /** Reads the rest, takes what stands after the last line's end as a line, and lets go of the file. Again, it does nothing. */
  async end(): Promise<void> {
    await this.read();
    this.#hasEnded = true;
    if (this.#rest.length > 0) this.#takeLine(this.#rest);
    this.#rest = Buffer.alloc(0);
    await this.#file?.close();
    this.#file = null;
  }

  async #readNew(): Promise<void> {
    // It is there from the start, but a script may take it away before it is first read.
    if (this.#hasEnded) return;
    this.#file ??= await open(this.#path, 'r').catch(() => null);
    if (this.#file === null) return;
    for (;;) {
      const buffer = Buffer.allocUnsafe(readBytes);
      const { bytesRead } = await this.#file.read(buffer, 0, readBytes, this.#position);
      if (bytesRead === 0) return;
      this.#position += bytesRead;
      this.#takeBytes(buffer.subarray(0, bytesRead));
    }
  }

  #takeBytes(bytes: Buffer): void {
    const all = Buffer.concat([this.#rest, bytes]);
    let start = 0;
    for (let end = all.indexOf(0x0a); end >= 0; end = all.indexOf(0x0a, start)) {
      if (this.#isSkipping) this.#isSkipping = false;
      else this.#takeLine(all.subarray(start, end));
      start = end + 1;
    }
    this.#rest = Buffer.from(all.subarray(start));
    if (this.#rest.length <= maxLineBytes) return;
    if (!this.#isSkipping) this.#note(`Metrics, line ${++this.#lineNumber}: longer than ${maxLineBytes} bytes, left out.`);
    this.#isSkipping = true;
    this.#rest = Buffer.alloc(0);
  }

  #takeLine(line: Buffer): void {
    this.#lineNumber += 1;
    const text = line.toString('utf8').trim();
    if (text === '') return;
    const at = new Date().toISOString();
    const parsed = parseMetricsLine(text);
    for (const problem of parsed.problems) this.#note(`Metrics, line ${this.#lineNumber}: ${problem}`);
    for (const [name, value] of parsed.values) {
      const iteration = parsed.iteration ?? (this.#lastIterations.get(name) ?? -1) + 1;
      this.#lastIterations.set(name, iteration);
      this.#keep({ name, value, iteration, at });
    }
  }
}

interface MetricsLine {
  readonly iteration: number | null;
  readonly values: ReadonlyArray<readonly [string, number]>;
  /** What is wrong with it, a sentence each. */
  readonly problems: readonly string[];
}

/** One line of the metrics file. Never throws: what cannot be used is said in `problems`. */
export function parseMetricsLine(text: string): MetricsLine {
  const { record, notFinite } = parseRecord(text);
  if (record === null) return { iteration: null, values: [], problems: [`not a JSON object, left out: ${text.slice(0, 200)}`] };
  const problems: string[] = [];
  const { iteration, ...others } = record;
  if (iteration !== undefined && iteration !== null && !isIteration(iteration)) {
    return {
      iteration: null,
      values: [],
      problems: [`"iteration" is not a whole number from 0 to 2147483647, left out: ${text.slice(0, 200)}`],
    };
  }
  const values: Array<readonly [string, number]> = [];
  for (const [name, value] of Object.entries(others)) {
    if (notFinite.has(value) || (typeof value === 'number' && !Number.isFinite(value)))
      problems.push(`${JSON.stringify(name)} is not a finite number, left out.`);
    else if (typeof value === 'number') values.push([name, value]);
  }
  return { iteration: iteration ?? null, values, problems };
}

/** GraphQL's Int. */
const isIteration = (value: unknown): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 2_147_483_647;

/**
 * JSON has no NaN, but Python's json and NumPy write it bare, as they do Infinity and -Infinity. Where the strict reading fails, these words
 * outside of strings are read as a marker, an object so that no text in the line can be mistaken for it.
 */
function parseRecord(text: string): { record: Record<string, unknown> | null; notFinite: ReadonlySet<unknown> } {
  const strict = parseObject(text);
  if (strict !== null) return { record: strict, notFinite: new Set() };
  const marker = {};
  const words = /"(?:[^"\\]|\\.)*"|-?\b(?:NaN|Infinity)\b/g;
  const lenient = text.replace(words, (match) => (match.startsWith('"') ? match : '{"notFinite":true}'));
  const record = parseObject(lenient, (value) => (isMarked(value) ? marker : value));
  return { record, notFinite: new Set([marker]) };
}

const isMarked = (value: unknown) => typeof value === 'object' && value !== null && 'notFinite' in value;

function parseObject(text: string, revive: (value: unknown) => unknown = (value) => value): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text, (_key, each) => revive(each));
    // An object of JSON: its keys are strings, and nothing is claimed of its values.
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
