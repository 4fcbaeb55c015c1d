import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/**
 * Makes pipelined requests on a connection take turns: the next is processed after the answer to
 * the previous one was sent. Answers must be sent in that order anyway. Without turns, the answers
 * to a client that reads none of them would all wait in memory.
 */
export class Turns {
  readonly #last = new WeakMap<Socket, ServerResponse>();

  /** Resolves when it is this request's turn. Null: at once. */
  take({ socket }: IncomingMessage, response: ServerResponse): Promise<void> | null {
    const before = this.#last.get(socket);
    this.#last.set(socket, response);
    if (!before || before.closed) return null;
    // Stops reading meanwhile, because waiting requests are in memory too.
    socket.pause();
    return new Promise((resolve) => {
      before.once('close', () => {
        socket.resume();
        resolve();
      });
    });
  }
}
