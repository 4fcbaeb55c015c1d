import { GraphQLError } from 'graphql';
import type { Answer, Answers } from '../answers.ts';
import type { ServerParts } from '../app.ts';
import { noteLimit } from '../errors.ts';
import type { Frame } from '../execution/frames.ts';
import { readStreamWish } from '../http/accept.ts';
import { EVENT_STREAM_HEADERS, eventsOf, framesOf } from '../http/event-stream.ts';
import { HttpRefusal, refusalOf } from '../http/refusal.ts';
import { type Reply, replyWith, replyWithRefusal } from '../http/reply.ts';
import type { Call } from '../watch/call.ts';
import type { HttpContext, HttpPlugin } from '../yoga.ts';

/** What Yoga ends with: an answer or frames of the pipeline, or errors that were thrown before. */
type Result = Answer | AsyncIterable<Frame> | { readonly errors?: readonly unknown[] };

/**
 * Masks errors and makes responses, in place of Yoga's result processors. It chooses the media type
 * by the weights in Accept and the status by the specification, gives events ids, and puts the
 * request's id into masked errors, which `maskedErrors` does not know.
 */
export function useReplies<C extends object>({ instruments }: ServerParts<C>, answers: Answers): HttpPlugin {
  function respond(result: Result, { req, call, operation, hasCursors }: HttpContext): Response {
    const { accept } = req.headers;
    if (Symbol.asyncIterator in result) return streamOf(result, hasCursors);
    const made = 'outcome' in result ? result : madeOf(result.errors ?? [], answers, call);
    if (made instanceof HttpRefusal) {
      noteLimit(instruments, made.extensions);
      return responseOf(replyWithRefusal(made, accept));
    }
    const isOfSubscription = made === result && operation?.node.operation === 'subscription';
    return isOfSubscription || readStreamWish(accept) === 'first' ? streamOf(framesOf(made), false) : responseOf(replyWith(made, accept));
  }

  return {
    onResultProcess({ result, setResultProcessor, serverContext }) {
      setResultProcessor(() => respond(result as Result, serverContext), ''); // the pipeline has no other results
    },
  };
}

/** The answer to thrown errors. Yoga wraps an error that is not a GraphQLError in one. */
function madeOf(errors: readonly unknown[], answers: Answers, call: Call): Answer | HttpRefusal {
  const [first] = errors;
  const cause = first instanceof GraphQLError ? (first.originalError ?? first) : first;
  return cause instanceof GraphQLError ? answers.refusal(errors, call) : refusalOf(cause, answers.mask, call);
}

const streamOf = (frames: AsyncIterable<Frame>, hasIds: boolean): Response =>
  new Response(eventsOf(frames, hasIds), { headers: EVENT_STREAM_HEADERS });

/** Streams the text. A Response made from a string would hold a copy of it in bytes. */
function responseOf({ status, headers, text }: Reply): Response {
  const body = new ReadableStream<string>(
    {
      pull(controller) {
        controller.enqueue(text);
        controller.close();
      },
    },
    { highWaterMark: 0 },
  );
  return new Response(body, { status, headers });
}
