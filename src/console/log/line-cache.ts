/**
 * The lines of one attempt's log that are held in memory, by number.
 *
 * A log is read in pieces that begin and end anywhere in a line. A run of pieces that follow each
 * other gives whole lines, except its first, if the run does not begin where that line begins, and
 * its last, as long as more may come.
 */
export interface Piece {
  readonly offset: number;
  /** The number of the line that it begins in. */
  readonly firstLine: number;
  readonly stream: 'STDOUT' | 'STDERR' | 'SYSTEM';
  readonly text: string;
  readonly at: string;
}

export interface Line {
  readonly text: string;
  /** Characters that were left out in the middle of the text. */
  readonly more: number;
  readonly stream: Piece['stream'];
  readonly at: string;
}

interface OpenLine extends Line {
  readonly number: number;
}

/** Characters that are held. What is farthest from the view is let go first. */
const HELD_CHARACTERS = 8_000_000;
/** A line costs this much besides its text. */
const LINE_COST = 100;
/** A longer line is cut: nobody reads a megabyte in one row. */
const LONGEST_LINE = 20_000;

export class LineCache {
  readonly #lines = new Map<number, Line>();
  #cost = 0;
  /** The number of the last line, as far as is known. */
  #total: number;
  /** The line that the newest piece ends in. */
  #open: OpenLine | null = null;

  constructor(total = 0) {
    this.#total = total;
  }

  /** The number of the last line. */
  get total(): number {
    return this.#total;
  }

  get(number: number): Line | undefined {
    return this.#lines.get(number);
  }

  /** The first of these lines that is not held. Null: all are. */
  firstMissing(from: number, to: number): number | null {
    for (let number = from; number <= Math.min(to, this.#total); number += 1) if (!this.#lines.has(number)) return number;
    return null;
  }

  /** More lines exist than were known. */
  raiseTotal(total: number): void {
    this.#total = Math.max(this.#total, total);
  }

  /**
   * Takes a run of pieces that was read from somewhere.
   * @param begins the line that is known to begin in the run: those before it may be cut
   * @param isWhole whether the run goes on to the end of the log
   */
  addRun(pieces: readonly Piece[], begins: number, isWhole: boolean): void {
    let open: OpenLine | null = null;
    for (const piece of pieces) open = this.#addPiece(piece, open, begins);
    if (open === null) return;
    if (isWhole) {
      if (open.number >= begins) this.#hold(open.number, open);
      this.#open = open;
    } else if (open.number <= this.#total && this.#lines.get(open.number) === undefined) {
      // Cut at the end of the run. It is read again when it is looked at.
      this.#total = Math.max(this.#total, open.number);
    }
  }

  /** Takes pieces that were written after all that was known. Returns the number of new lines. */
  append(pieces: readonly Piece[]): number {
    const before = this.#total;
    for (const piece of pieces) {
      const open = this.#open?.number === piece.firstLine ? this.#open : null;
      const begins = open || piece.offset === 0 ? 0 : piece.firstLine;
      this.#open = this.#addPiece(piece, open, begins);
      if (this.#open && this.#open.text !== '') this.#hold(this.#open.number, this.#open);
    }
    return this.#total - before;
  }

  /** Lets go of lines that are far from `near`, if too many are held. */
  trim(near: number): void {
    if (this.#cost <= HELD_CHARACTERS) return;
    const numbers = [...this.#lines.keys()].sort((a, b) => Math.abs(b - near) - Math.abs(a - near));
    for (const number of numbers) {
      if (this.#cost <= HELD_CHARACTERS / 2) return;
      const line = this.#lines.get(number);
      this.#lines.delete(number);
      this.#cost -= (line?.text.length ?? 0) + LINE_COST;
    }
  }

  #addPiece(piece: Piece, before: OpenLine | null, begins: number): OpenLine | null {
    const parts = piece.text.split('\n');
    let number = piece.firstLine;
    let open = before?.number === number ? before : null;
    parts.forEach((part, index) => {
      const isEnded = index < parts.length - 1;
      const line = {
        number,
        ...cutLine(open ? open.text + part : part, open?.more ?? 0),
        stream: open?.stream ?? piece.stream,
        at: open?.at ?? piece.at,
      };
      if (isEnded) {
        if (number >= begins) this.#hold(number, line);
        open = null;
        number += 1;
      } else open = part === '' && open === null ? null : line;
    });
    return open;
  }

  #hold(number: number, { text, more, stream, at }: Line): void {
    const known = this.#lines.get(number);
    this.#cost += text.length - (known?.text.length ?? -LINE_COST);
    this.#lines.set(number, { text, more, stream, at });
    this.#total = Math.max(this.#total, number);
  }
}

/** A line that grows for ever, without an end, must not grow in memory. */
function cutLine(text: string, more: number): Pick<Line, 'text' | 'more'> {
  if (text.length <= LONGEST_LINE * 2) return { text, more };
  return { text: text.slice(0, LONGEST_LINE) + text.slice(-LONGEST_LINE), more: more + text.length - 2 * LONGEST_LINE };
}
