import { closeSync, constants, fstatSync, openSync, write } from 'node:fs';

/** What may wait for a reader that does not read; more than that is lost, line by line. */
const MOST_WAITING = 1_048_576;
const TRY_AGAIN_MS = 50;

/**
 * stderr, for lines that must hold nobody up: they are written without waiting, in order, and gathered while a write is under way. Where nobody
 * reads them they are lost, and where nobody can read any more all that follow are. It never throws.
 *
 * (pino's own destination was the first choice. Destroyed while something waits it writes nothing, for ever, and the process never ends.)
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

  /** Gives what waits so much time to leave. */
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
      // Full: whoever reads is slow. The timer keeps nothing from ending.
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
 * A pipe is opened anew, so that a write to a full one fails at once instead of waiting in a thread, which would keep the process from ending: the flag
 * for that belongs to the opening, and the one that we were given is shared with others.
 */
function openStderr(): number {
  try {
    return fstatSync(2).isFIFO() ? openSync('/proc/self/fd/2', constants.O_WRONLY | constants.O_NONBLOCK) : 2;
  } catch {
    return 2;
  }
}
