/**
 * Passes a model's bytes out of the thread that computes them, at the pace at which they are
 * stored.
 */
import type { MessagePort } from 'node:worker_threads';

export interface Piece {
  readonly kind: 'piece';
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** One is stored while the other is filled. */
const PIECES = 2;
/** Hashing one takes the main thread a fraction of a millisecond. */
const PIECE_BYTES = 256 * 1024;

/**
 * Gathers bytes into pieces of equal size. A piece's memory moves to the reader and back, so there
 * are never more than a few.
 */
export class Outlet {
  readonly #port: MessagePort;
  readonly #free: ArrayBuffer[] = Array.from({ length: PIECES }, () => new ArrayBuffer(PIECE_BYTES));
  #waiting: (() => void) | null = null;
  #piece: Uint8Array<ArrayBuffer> | null = null;
  #filled = 0;

  constructor(port: MessagePort) {
    this.#port = port;
    port.on('message', (buffer: ArrayBuffer) => {
      this.#free.push(buffer);
      this.#waiting?.();
    });
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let taken = 0; taken < bytes.length; ) {
      this.#piece ??= new Uint8Array(await this.#nextFree());
      const part = bytes.subarray(taken, taken + PIECE_BYTES - this.#filled);
      this.#piece.set(part, this.#filled);
      this.#filled += part.length;
      taken += part.length;
      if (this.#filled === PIECE_BYTES) await this.flush();
    }
  }

  async flush(): Promise<void> {
    if (!this.#piece) return;
    const bytes = this.#piece.subarray(0, this.#filled);
    this.#piece = null;
    this.#filled = 0;
    this.#port.postMessage({ kind: 'piece', bytes } satisfies Piece, [bytes.buffer]);
  }

  async #nextFree(): Promise<ArrayBuffer> {
    for (;;) {
      const buffer = this.#free.pop();
      if (buffer) return buffer;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting = resolve;
      await promise;
      this.#waiting = null;
    }
  }
}
