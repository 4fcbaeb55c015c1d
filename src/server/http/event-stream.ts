import type { Answer } from '../answers.ts';
import type { Frame } from '../execution/frames.ts';
import { KEEP_ALIVE } from './send.ts';

/** Longer texts are chunks of their own: they are shared by others, and joined they would be copied. */
const JOINED = 65_536;

export const EVENT_STREAM_HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache, no-transform',
  'x-accel-buffering': 'no',
  'x-content-type-options': 'nosniff',
} as const;

/**
 * Frames as server-sent events, in the "distinct connections" mode of graphql-sse's protocol:
 *
 *     id: …              the frame's cursor, where the stream can be gone on with by it (resume.ts)
 *     event: next        one for each frame
 *     data: {"data": …}
 *
 *     event: complete    nothing more comes
 *     data:
 *
 * The next frame is made once the last one has left, so that a slow consumer costs one frame of memory. A stream that breaks off
 * without `complete` (the gateway stops, or the consumer was too slow) is to be asked for again, from the last cursor.
 */
export function eventsOf(frames: AsyncIterable<Frame>, hasIds: boolean): ReadableStream<string> {
  const iterator = frames[Symbol.asyncIterator]();
  let sent: (() => void) | undefined;
  return new ReadableStream<string>(
    {
      // Some clients see the headers only with the first byte of the body.
      start: (controller) => controller.enqueue(KEEP_ALIVE),
      async pull(controller) {
        sent?.();
        sent = undefined;
        const { value, done } = await iterator.next();
        if (done) {
          controller.enqueue('event: complete\ndata:\n\n');
          controller.close();
          return;
        }
        sent = value.sent;
        for (const chunk of chunksOf(value, hasIds)) controller.enqueue(chunk);
      },
      cancel: async () => void (await iterator.return?.()),
    },
    { highWaterMark: 0 },
  );
}

/** An answer as a stream of one event. */
export async function* framesOf({ text }: Answer): AsyncGenerator<Frame> {
  yield { text, cursor: undefined, sent() {} };
}

function chunksOf({ text, cursor }: Frame, hasIds: boolean): readonly string[] {
  const head = `${hasIds && cursor !== undefined ? `id: ${cursor}\n` : ''}event: next\ndata: `;
  return text.length <= JOINED ? [`${head}${text}\n\n`] : [head, text, '\n\n'];
}
