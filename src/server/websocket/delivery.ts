import type { ExecutionResult } from 'graphql-ws';
import type { Answer } from '../answers.ts';
import type { FrameStream } from '../execution/frames.ts';
import type { Socket } from './socket.ts';

/**
 * What graphql-ws iterates over for one operation. It would serialise each result for each socket, but ours are text already, and the
 * same text may go to thousands of sockets: so the `next` messages go out from in here, and graphql-ws sees only the end, upon which it
 * sends `complete`. It ends the iteration with `return` when the client or the socket does.
 */
class Delivery implements AsyncIterableIterator<ExecutionResult> {
  readonly #work: () => Promise<void>;
  readonly #stop: () => void;
  readonly #ended: () => void;
  #isBegun = false;

  constructor(work: () => Promise<void>, stop: () => void, ended: () => void) {
    this.#work = work;
    this.#stop = stop;
    this.#ended = ended;
  }

  async next(): Promise<IteratorReturnResult<undefined>> {
    this.#isBegun = true;
    try {
      await this.#work();
    } finally {
      this.#ended();
    }
    return { done: true, value: undefined };
  }

  return(): Promise<IteratorReturnResult<undefined>> {
    this.#stop();
    if (!this.#isBegun) this.#ended();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

/** Delivers frames as they come, the next one made when the last one has left. `ended` is called when nothing more comes of it. */
export function deliverFrames(socket: Socket, id: string, frames: FrameStream, ended: () => void): AsyncIterableIterator<ExecutionResult> {
  const work = async () => {
    while (await deliverNext(socket, id, frames));
  };
  return new Delivery(work, () => void frames.return(), ended);
}

/** In a function of its own, so that a stream that waits for news holds no text of the frame before. */
async function deliverNext(socket: Socket, id: string, frames: FrameStream): Promise<boolean> {
  const { value, done } = await frames.next();
  if (done) return false;
  const isSent = await socket.deliver(id, value.text);
  if (isSent) value.sent();
  else void frames.return();
  return isSent;
}

/** Delivers the answer of a query, a mutation or a refused subscription, unless the client no longer wants it: `leave` is called then. */
export function deliverAnswer(
  socket: Socket,
  id: string,
  answer: () => Promise<Answer>,
  { ended, leave = () => {} }: { readonly ended: () => void; readonly leave?: () => void },
): AsyncIterableIterator<ExecutionResult> {
  let isWanted = true;
  const work = () =>
    socket.during(async () => {
      const { text } = await answer();
      if (isWanted) await socket.deliver(id, text);
    });
  const stop = () => {
    isWanted = false;
    leave();
  };
  return new Delivery(work, stop, ended);
}
