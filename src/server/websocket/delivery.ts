import type { ExecutionResult } from 'graphql-ws';
import type { Answer } from '../answers.ts';
import type { FrameStream } from '../execution/frames.ts';
import { nextOf, type Socket } from './socket.ts';

/**
 * What graphql-ws iterates over for one operation. graphql-ws would serialise each result for each
 * socket, but these results are texts already, and the same text may go to thousands of sockets. So
 * `next` messages are sent from here. graphql-ws sees only the end, and sends `complete`. It calls
 * `return` when the client cancels or the socket closes.
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

/**
 * Delivers frames. The next frame is made when the last one has left. While nothing is unsent,
 * frames for many subscribers are pushed (execution/audience.ts). `ended` is called at the end.
 */
export function deliverFrames(socket: Socket, id: string, frames: FrameStream, ended: () => void): AsyncIterableIterator<ExecutionResult> {
  const work = async () => {
    const head = Buffer.from(nextOf(id));
    frames.pushTo((payload, left) => socket.push(head, payload, left));
    while (await deliverNext(socket, id, frames));
  };
  return new Delivery(work, () => void frames.return(), ended);
}

/** A separate function, so that a waiting stream does not keep the text of its last frame. */
async function deliverNext(socket: Socket, id: string, frames: FrameStream): Promise<boolean> {
  const { value, done } = await frames.next();
  if (done) return false;
  const isSent = await socket.deliver(id, value.text);
  if (isSent) value.sent();
  else void frames.return();
  return isSent;
}

/**
 * Delivers the answer of a query, a mutation or a refused subscription. If the client cancels
 * first, nothing is sent, and `leave` is called.
 */
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
