import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/**
 * Has requests that come one behind the other on a connection (pipelining) take turns: the next is looked at when the answer to the one before has left.
 * Answers have to go out in that order anyway, and those to a client that reads none of them would all wait in memory.
 */
export class Turns {
  readonly #last = new WeakMap<Socket, ServerResponse>();

  /** Resolves when it is this request's turn; null where it is at once. */
  take({ socket }: IncomingMessage, response: ServerResponse): Promise<void> | null {
    const before = this.#last.get(socket);
    this.#last.set(socket, response);
    if (!before || before.closed) return null;
    // What it sends meanwhile stays with the client: requests that wait are in memory as well.
    socket.pause();
    return new Promise((resolve) => {
      before.once('close', () => {
        socket.resume();
        resolve();
      });
    });
  }
}
