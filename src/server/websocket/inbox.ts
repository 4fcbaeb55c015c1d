import type { Socket } from './socket.ts';

/**
 * Hands on a socket's messages. One that completes an operation waits while operations are being opened, and what comes behind it waits with it.
 *
 * graphql-ws knows an operation by its id alone. Where `complete` overtakes the opening, and the same id is subscribed to once more, the first
 * stream is never ended: it would go on, uncounted, for as long as the socket is open.
 */
export class Inbox {
  readonly #socket: Socket;
  readonly #held: { readonly text: string; readonly take: (text: string) => void }[] = [];
  #opening = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  put(text: string, take: (text: string) => void): void {
    if (this.#held.length === 0 && !this.#mustWait(text)) take(text);
    else {
      this.#held.push({ text, take });
      this.#socket.pause('inbox');
    }
  }

  /** An operation is being opened. */
  opens(): void {
    this.#opening += 1;
  }

  /** It will be known by its id in a moment. */
  opened(): void {
    setImmediate(() => {
      this.#opening -= 1;
      this.#handOn();
    });
  }

  #handOn(): void {
    for (let first = this.#held[0]; first && !this.#mustWait(first.text); first = this.#held[0]) {
      this.#held.shift();
      first.take(first.text);
    }
    if (this.#held.length === 0) this.#socket.resume('inbox');
  }

  /** Anything that says "complete" may be one. */
  #mustWait(text: string): boolean {
    return this.#opening > 0 && text.includes('"complete"');
  }
}
