import type { ExecutionResult } from 'graphql-ws';
import type { Answer } from './operations.ts';
import type { Socket } from './socket.ts';
import type { FrameStream } from './subscribe.ts';

/**
 * What graphql-ws iterates over for one operation. It would serialise each result for each socket, but ours are text already, and the
 * same text may go to thousands of sockets: so the `next` messages go out from in here, and graphql-ws sees only the end, upon which it
 * sends `complete`. It ends the iteration with `return` when the client or the socket does.
 */
class Delivery implements AsyncIterableIterator<ExecutionResult> {
  readonly #work: () => Promise<void>;
  readonly #end: () => void;

  constructor(work: () => Promise<void>, end: () => void) {
    this.#work = work;
    this.#end = end;
  }

  async next(): Promise<IteratorReturnResult<undefined>> {
    await this.#work();
    return { done: true, value: undefined };
  }

  return(): Promise<IteratorReturnResult<undefined>> {
    this.#end();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

/** Delivers frames as they come, the next one made when the last one has left. */
export function deliverFrames(socket: Socket, id: string, frames: FrameStream): AsyncIterableIterator<ExecutionResult> {
  const work = async () => {
    for await (const frame of frames) {
      if (!(await socket.send(nextMessage(id, frame)))) return;
      frames.noteSent();
    }
  };
  return new Delivery(work, () => void frames.return());
}

/** Delivers the answer of a query, a mutation or a refused subscription, unless the client no longer wants it: `leave` is called then. */
export function deliverAnswer(
  socket: Socket,
  id: string,
  answer: () => Promise<Answer>,
  leave = () => {},
): AsyncIterableIterator<ExecutionResult> {
  let isWanted = true;
  const work = () =>
    socket.during(async () => {
      const { text } = await answer();
      if (isWanted) await socket.send(nextMessage(id, text));
    });
  return new Delivery(work, () => {
    isWanted = false;
    leave();
  });
}

function nextMessage(id: string, payload: string): string {
  return `{"id":${JSON.stringify(id)},"type":"next","payload":${payload}}`;
}
