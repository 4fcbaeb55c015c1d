import type { ServerResponse } from 'node:http';
import type { Connection, Connections } from '../connections/connections.ts';
import { Outlet } from '../connections/outlet.ts';
import type { FrameStream } from '../execution/frames.ts';
import type { Answer } from '../operations.ts';

/**
 * Sends frames, or one answer, as server-sent events in the "distinct connections" mode of graphql-sse's protocol:
 *
 *     id: …              the frame's cursor, where the stream can be gone on with by it (resume.ts)
 *     event: next        one for each frame
 *     data: {"data": …}
 *
 *     event: complete    nothing more comes
 *     data:
 *
 * The next frame is made once the last one has left, so that a slow consumer costs one frame of memory. A stream that breaks off without
 * `complete` (the gateway stops, or the consumer was too slow) is to be asked for again, from the last cursor.
 */
export function sendStream(response: ServerResponse, connections: Connections, frames: FrameStream | Answer, hasIds = false): void {
  if (response.destroyed) {
    if (!('outcome' in frames)) void frames.return();
    return;
  }
  const stream = new EventStream(response);
  connections.add(stream);
  response.once('close', () => {
    connections.remove(stream);
    if (!('outcome' in frames)) void frames.return();
  });
  void ('outcome' in frames ? stream.finish(frames.text) : pump(stream, frames, hasIds));
}

/** What a stream begins with. After HEAD it is all of it. */
export function openEvents(response: ServerResponse): void {
  response.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache, no-transform',
    'x-accel-buffering': 'no',
    'x-content-type-options': 'nosniff',
  });
  if (response.req.method === 'HEAD') response.end();
}

async function pump(stream: EventStream, frames: FrameStream, hasIds: boolean): Promise<void> {
  while (await sendNext(stream, frames, hasIds));
  await stream.finish();
}

/** In a function of its own, so that a stream that waits for news holds no text of the frame before. */
async function sendNext(stream: EventStream, frames: FrameStream, hasIds: boolean): Promise<boolean> {
  const { value, done } = await frames.next();
  if (done) return false;
  const id = hasIds && frames.cursor !== undefined ? `id: ${frames.cursor}\n` : '';
  const isSent = await stream.write(`${id}event: next\ndata: `, value, '\n\n');
  if (isSent) frames.noteSent();
  else void frames.return();
  return isSent;
}

class EventStream implements Connection {
  readonly #response: ServerResponse;
  readonly #outlet: Outlet;
  #isComplete = false;

  constructor(response: ServerResponse) {
    this.#response = response;
    this.#outlet = new Outlet((piece, _, done) => response.write(piece, done));
    response.on('error', () => {}); // 'close' follows and ends the stream
    response.once('close', () => this.#outlet.close());
    openEvents(response);
    // Some clients see the headers only with the first byte of the body.
    void this.write(':\n\n');
  }

  /** Resolves a turn of the event loop after the text has left for the peer: false if the peer has gone. */
  write(...parts: string[]): Promise<boolean> {
    if (this.#response.destroyed || this.#response.writableEnded) return Promise.resolve(false);
    return this.#outlet.send(...parts);
  }

  async finish(answer?: string): Promise<void> {
    if (answer !== undefined) await this.write('event: next\ndata: ', answer, '\n\n');
    this.#isComplete = true;
    await this.write('event: complete\ndata:\n\n');
    this.#response.end();
  }

  isBehind(): boolean {
    return this.#outlet.waiting > 0;
  }

  taken(): number {
    return this.#outlet.taken;
  }

  ping(): void {
    if (!this.isBehind() && !this.#isComplete) void this.write(':\n\n');
  }

  drop(): void {
    this.#response.destroy();
  }

  leave(): void {
    this.#response.destroy();
  }

  cut(): void {
    this.#response.destroy();
  }
}
