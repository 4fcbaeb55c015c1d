/**
 * Finds text in a step's log.
 *
 * Lines are compared as a terminal shows them: without escape sequences, and without what a `\r`
 * has overwritten. A line may be spread over many chunks, and a chunk may hold many lines. A search
 * reads a limited amount, a little at a time, and says where it stopped.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { numberBeforeLine } from '../../store/queries/logs.ts';
import { readLogChunks } from '../../store/queries/streams.ts';
import type { LogChunkRow } from '../../store/schema/tables.ts';
import { cutAround } from '../../text/acceptable.ts';
import { lastWriteOf, shownLine } from '../../text/lines.ts';
import type { LineStart } from '../core/cursors.ts';
import type { Domain } from '../core/domain.ts';

/** About what one answer reads at most. Its cost in nodes is for this much. */
export const MOST_SEARCHED_BYTES = 8_388_608;
/** What is read at once. The event loop turns in between. */
const PORTION = { rows: 256, bytes: 262_144 };
/** What reading a chunk costs besides its text. */
const CHUNK_BYTES = 256;
/** A longer line is searched in pieces of about this length. */
const LONGEST_LINE = 65_536;
/** The end of a piece is searched again with the next one, which the text may reach into. */
const OVERLAP = 1_024;
const MOST_SHOWN = 500;

/** Where a line begins: in the chunk after number `seq`. */
export interface LinePlace {
  readonly seq: number;
  readonly line: LineStart;
}

export interface LogMatch {
  readonly attempt: number;
  readonly line: number;
  readonly text: string;
  /** The place to search on from. */
  readonly next: LinePlace;
}

export interface SearchAsked {
  readonly jobId: string;
  readonly stepNumber: number;
  readonly text: string;
  /** Null: all attempts. */
  readonly attempt: number | null;
  readonly from: { readonly seq: number; readonly line: LineStart | null };
  readonly first: number;
  /** Called with the bytes about to be read. If it throws, they are not read. */
  readonly hold: (bytes: number) => void;
  readonly signal: AbortSignal | undefined;
}

export interface Found {
  readonly matches: readonly LogMatch[];
  /** Where to search on. Null: nothing was read. */
  readonly place: LinePlace | null;
  readonly hasMore: boolean;
}

/** The log's lines must have numbers (numbering.ts). */
export async function searchLog({ store }: Domain, { jobId, stepNumber, attempt, ...asked }: SearchAsked): Promise<Found> {
  const { from, hold, signal } = asked;
  const beforeAttempt = attempt === null ? 0 : await numberBeforeLine(store.read, { jobId, stepNumber, attempt, line: 1 });
  const start = Math.max(from.seq, beforeAttempt);
  const search = new LineSearch(asked.text, from.line, asked.first);
  let bytes = 0;
  for (let after = start; ; ) {
    const { rows, hasMore } = await readLogChunks(store.read, { jobId, stepNumber, after }, { ...PORTION, hold });
    const wanted = attempt === null ? rows : rows.filter((chunk) => chunk.attempt === attempt);
    const isLast = !hasMore || wanted.length < rows.length;
    for (const chunk of wanted) {
      bytes += chunk.size + CHUNK_BYTES;
      search.take(chunk);
      if (search.isFull) break;
    }
    after = wanted.at(-1)?.seq ?? after;
    const { place } = search;
    if (search.isFull) return search.found({ hasMore: !isLast || (place !== null && place.seq < after) });
    if (isLast) {
      search.end();
      return search.found({ hasMore: false });
    }
    // However long a chunk is, each answer gets further than the one before.
    if (bytes >= MOST_SEARCHED_BYTES && place !== null && place.seq > start) return search.found({ hasMore: true });
    await turn();
    signal?.throwIfAborted();
  }
}

/** What one chunk has of a line. */
interface Piece {
  readonly seq: number;
  readonly text: string;
}

/** Searches the lines of chunks that come in order. */
class LineSearch {
  /** Where the first line begins that is not searched to its end. */
  place: LinePlace | null = null;
  readonly #matches: LogMatch[] = [];
  readonly #pattern: RegExp;
  readonly #from: LineStart | null;
  readonly #most: number;
  /** The line that has begun. `isOver`: the rest of it need not be searched. */
  #pieces: Piece[] = [];
  #length = 0;
  #isOver = false;
  /** Where the last chunk ended. */
  #end = { seq: 0, attempt: 0, offset: 0 };

  /** Lines of an attempt before `from` are skipped. */
  constructor(text: string, from: LineStart | null, most: number) {
    this.#pattern = new RegExp(RegExp.escape(text), 'i');
    this.#from = from;
    this.#most = most;
  }

  get isFull(): boolean {
    return this.#matches.length >= this.#most;
  }

  found({ hasMore }: { hasMore: boolean }): Found {
    return { matches: this.#matches, place: this.place, hasMore };
  }

  /** Stops within the chunk when it has found enough. */
  take({ seq, stepNumber, attempt, offset, size, text, firstLine }: LogChunkRow): void {
    // Another attempt, or retention removes the log while it is searched.
    if (attempt !== this.#end.attempt || offset !== this.#end.offset) this.end();
    if (this.isFull) return;
    this.#end = { seq, attempt, offset: offset + size };
    let line = { stepNumber, attempt, line: firstLine ?? 1 };
    for (let start = 0; start < text.length; ) {
      const end = text.indexOf('\n', start);
      this.#add({ seq, text: text.slice(start, end < 0 ? text.length : end) }, line);
      if (end < 0) return;
      this.#search(line);
      line = { ...line, line: line.line + 1 };
      start = end + 1;
      this.#begin({ seq: start < text.length ? seq - 1 : seq, line });
      if (this.isFull) return;
    }
  }

  /** Searches a last line that no line break ends. */
  end(): void {
    if (this.place && this.#pieces.length > 0) this.#search(this.place.line);
    this.#drop();
    this.#isOver = false;
  }

  #begin(place: LinePlace): void {
    this.place = place;
    this.#drop();
    this.#isOver = false;
  }

  #drop(): void {
    this.#pieces = [];
    this.#length = 0;
  }

  #add(piece: Piece, line: LineStart): void {
    const from = this.#from;
    if (from && line.attempt === from.attempt && line.line < from.line) this.#isOver = true;
    if (this.#isOver) {
      this.place = { seq: piece.seq, line: { ...line, line: line.line + 1 } };
      return;
    }
    const written = lastWriteOf(piece.text);
    if (written > 0 || (this.#pieces.at(-1)?.text.endsWith('\r') && /[^\r]/.test(piece.text))) this.#drop();
    this.#pieces.push({ seq: piece.seq, text: piece.text.slice(written) });
    this.#length += piece.text.length - written;
    this.#hold(line);
    if (this.#length <= LONGEST_LINE) return;
    this.#search(line);
    if (this.#isOver) return;
    this.#keepOverlap();
    this.#hold(line);
  }

  #keepOverlap(): void {
    let start = this.#pieces.length;
    let length = 0;
    while (length < OVERLAP) length += this.#pieces[--start]?.text.length ?? OVERLAP;
    const [first, ...rest] = this.#pieces.slice(start);
    if (!first) return;
    this.#pieces = [{ seq: first.seq, text: first.text.slice(length - OVERLAP) }, ...rest];
    this.#length = OVERLAP;
  }

  /** The search goes on where the pieces begin. */
  #hold(line: LineStart): void {
    const [first] = this.#pieces;
    if (first) this.place = { seq: first.seq - 1, line };
  }

  #search(line: LineStart): void {
    const [first] = this.#pieces;
    if (this.#isOver || !first) return;
    const shown = shownLine(this.#pieces.map(({ text }) => text).join(''));
    const position = shown.search(this.#pattern);
    if (position < 0) return;
    const after = { ...line, line: line.line + 1 };
    const text = cutAround(shown.toWellFormed(), position, MOST_SHOWN);
    this.#matches.push({ attempt: line.attempt, line: line.line, text, next: { seq: first.seq - 1, line: after } });
    this.#isOver = true;
    this.#drop();
    this.place = { seq: this.#end.seq, line: after };
  }
}
