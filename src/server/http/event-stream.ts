import { Kind, type OperationDefinitionNode } from 'graphql';
import { badRequest } from '../../domain/core/request-refusals.ts';
import type { Answer } from '../answers.ts';
import type { Params } from '../context.ts';
import type { Frame } from '../execution/frames.ts';
import { HttpRefusal } from './refusal.ts';
import { KEEP_ALIVE } from './send.ts';

/**
 * Longer texts are separate chunks: other subscribers share them, and joining would copy them.
 */
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
 *     id: …              the cursor of the frame, if the stream can resume from it
 *     event: next        one for each frame
 *     data: {"data": …}
 *
 *     event: complete    nothing follows
 *     data:
 *
 * A frame is produced only after the previous one was sent, so a slow consumer costs one frame of
 * memory. If a stream ends without `complete` (the gateway stops, or the consumer was too slow),
 * the client should request it again, from the last cursor.
 *
 * The ids are cursors if the subscription passes a variable as `after`. A client that lost its
 * connection sends the last id in the header Last-Event-ID, as EventSource in browsers does, and
 * the id replaces the variable.
 */
export function eventsOf(frames: AsyncIterable<Frame>, hasIds: boolean): ReadableStream<string> {
  const iterator = frames[Symbol.asyncIterator]();
  let sent: (() => void) | undefined;
  return new ReadableStream<string>(
    {
      // Some clients get the headers only with the first byte of the body.
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

/** An answer as a stream with one frame. */
export async function* framesOf({ text }: Answer): AsyncGenerator<Frame> {
  yield { text, cursor: undefined, sent() {} };
}

function chunksOf({ text, cursor }: Frame, hasIds: boolean): readonly string[] {
  const head = `${hasIds && cursor !== undefined ? `id: ${cursor}\n` : ''}event: next\ndata: `;
  return text.length <= JOINED ? [`${head}${text}\n\n`] : [head, text, '\n\n'];
}

/**
 * The name of the variable that the subscription passes as `after`. Null: there is none, so its
 * stream cannot be resumed in this way.
 */
export function findCursorVariable({ selectionSet }: OperationDefinitionNode): string | null {
  const [field] = selectionSet.selections;
  if (field?.kind !== Kind.FIELD) return null;
  const value = field.arguments?.find(({ name }) => name.value === 'after')?.value;
  return value?.kind === Kind.VARIABLE ? value.name.value : null;
}

/**
 * The parameters that resume after the event with this id. Throws an HttpRefusal of 400 if the
 * document has no variable for it.
 */
export function resumeAfter(params: Params, id: string | undefined, variable: string | null): Params {
  if (id === undefined || id === '') return params;
  if (variable === null) throw new HttpRefusal(400, badRequest.noCursorVariable());
  return { ...params, variables: { ...params.variables, [variable]: id } };
}
