import { closeSync, constants, fstatSync, openSync, write } from 'node:fs';

/** The most that may wait for a slow reader. More than that is lost, line by line. */
const MOST_WAITING = 1_048_576;
const TRY_AGAIN_MS = 50;

/**
 * stderr for lines that must block nobody: written asynchronously, in order, and gathered while a
 * write is in progress. Lines that nobody reads are lost; if nobody can read any more, all later
 * ones are. Never throws.
 *
 * (pino's own destination was the first choice. If it is destroyed while something waits, it never
 * writes again and the process never ends.)
 */
export class Stderr {
  readonly #fd: number;
  readonly #onLost: () => void;
  #waiting = '';
  #isWriting = false;
  #isOver = false;
  #idle: (() => void) | null = null;

  constructor(onLost: () => void) {
    this.#fd = openStderr();
    this.#onLost = onLost;
  }

  write(line: string): void {
    if (this.#isOver || this.#waiting.length + line.length > MOST_WAITING) {
      this.#onLost();
      return;
    }
    this.#waiting += line;
    if (!this.#isWriting) this.#writeNext();
  }

  /** Gives waiting lines this much time to be written. */
  async close(ms: number): Promise<void> {
    if (this.#isWriting) {
      const left = Promise.withResolvers<void>();
      const timer = setTimeout(left.resolve, ms);
      this.#idle = left.resolve;
      await left.promise;
      clearTimeout(timer);
    }
    this.#isOver = true;
    if (this.#fd !== 2 && !this.#isWriting) closeSync(this.#fd);
  }

  #writeNext(): void {
    this.#isWriting = true;
    const bytes = Buffer.from(this.#waiting);
    this.#waiting = '';
    this.#writeOut(bytes);
  }

  #writeOut(bytes: Buffer): void {
    write(this.#fd, bytes, (error, written) => {
      // Full, because the reader is slow. The timer does not keep the process alive.
      if (error?.code === 'EAGAIN' && !this.#isOver) setTimeout(() => this.#writeOut(bytes), TRY_AGAIN_MS).unref();
      else if (error) this.#end(true);
      else if (written < bytes.length) this.#writeOut(bytes.subarray(written));
      else if (this.#waiting !== '') this.#writeNext();
      else this.#end(false);
    });
  }

  #end(isOver: boolean): void {
    this.#isWriting = false;
    this.#isOver ||= isOver;
    this.#idle?.();
  }
}

/**
 * Opens a pipe again, so that a write to a full one fails at once. Otherwise it would wait in a
 * thread and keep the process from ending. The flag for that belongs to the open file, and the
 * inherited one is shared with others.
 */
function openStderr(): number {
  try {
    return fstatSync(2).isFIFO() ? openSync('/proc/self/fd/2', constants.O_WRONLY | constants.O_NONBLOCK) : 2;
  } catch {
    return 2;
  }
}
