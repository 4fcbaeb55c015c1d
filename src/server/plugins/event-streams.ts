import { badRequest, keyEnded, limitExceeded } from '../../domain/core/request-refusals.ts';
import type { Answers } from '../answers.ts';
import type { ServerParts } from '../app.ts';
import { keyOf, type Tally } from '../connections/tally.ts';
import { FrameStream } from '../execution/frames.ts';
import { readStreamWish } from '../http/accept.ts';
import { findCursorVariable, resumeAfter } from '../http/event-stream.ts';
import { HttpRefusal } from '../http/refusal.ts';
import type { HttpPlugin } from '../yoga.ts';

/**
 * Subscriptions over server-sent events. Limits the streams of a key, resumes after Last-Event-ID,
 * and ends a stream with its key and its connection.
 */
export function useEventStreams<C extends object>(parts: ServerParts<C>, answers: Answers, ofKey: Tally): HttpPlugin {
  return {
    onSubscribe({ context, extendContext, setResultAndStopExecution }) {
      const { req, res, call, principal, params, operation } = context;
      if (readStreamWish(req.headers.accept) === 'none') throw refuseSubscription();
      if (req.method === 'HEAD') return setResultAndStopExecution(NOTHING);
      const release = ofKey.take(keyOf(principal));
      if (!release) throw new HttpRefusal(429, limitExceeded.streams(parts.limits.socketsPerKey));
      res.once('close', release);
      const id = req.headers['last-event-id'];
      const cursorVariable = findCursorVariable(operation.node);
      extendContext({
        call: { ...call, transport: 'sse' },
        params: resumeAfter(params, typeof id === 'string' ? id : undefined, cursorVariable),
        hasCursors: cursorVariable !== null,
      });
      return {
        onSubscribeResult({ result }) {
          if (!(result instanceof FrameStream)) return;
          if (res.closed) return void result.return();
          // A stream has no close code. Its last frame says why it ends.
          const stop = parts.onKeyEnd(principal, (why) => result.end(answers.refusal([keyEnded(why)]).text));
          res.once('close', stop);
        },
      };
    },
  };
}

/** The refusal of a subscription whose client accepts no stream. */
export const refuseSubscription = () => new HttpRefusal(406, badRequest.noStream());

/** HEAD gets the headers of a stream without one being opened. */
async function* none(): AsyncGenerator<never> {}
const NOTHING = none();
