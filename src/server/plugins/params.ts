import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Principal } from '../../domain/access/principal.ts';
import { badRequest } from '../../domain/core/request-refusals.ts';
import type { GraphqlParts, ServerParts } from '../app.ts';
import { keyOf } from '../connections/tally.ts';
import type { Asked, Params } from '../context.ts';
import type { AnswerHeaders } from '../http/headers.ts';
import { readParams, requireMethod } from '../http/params.ts';
import { HttpRefusal } from '../http/refusal.ts';
import type { Call } from '../watch/call.ts';
import type { HttpPlugin } from '../yoga.ts';

/**
 * Reads the parameters, in place of Yoga's request parsers. It keeps the limits `bodyBytes` and
 * `bodyMs`, accepts only JSON in UTF-8, and its errors name the field.
 */
export function useParams<C extends object>(parts: GraphqlParts<C>): HttpPlugin {
  return {
    onRequestParse({ serverContext, setRequestParser }) {
      const { req, res, call, principal } = serverContext;
      requireMethod(req);
      setRequestParser(async () => {
        const params = await readParams(req, res, parts);
        Object.assign(serverContext, askedBy(parts, { req, res, headers: res, call, principal, params }));
        return params;
      });
    },
  };
}

export interface HttpRequest {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly headers: AnswerHeaders;
  readonly call: Call;
  readonly principal: Principal;
  readonly params: Params;
}

/** A request over HTTP, for the pipeline. Throws an HttpRefusal if the client has gone. */
export function askedBy<C extends object>(parts: ServerParts<C>, { req, res, headers, call, principal, params }: HttpRequest): Asked {
  if (res.closed) throw new HttpRefusal(400, badRequest.clientGone());
  const account = parts.unsent.open(keyOf(principal));
  const share = account.share();
  res.once('close', () => {
    share.close();
    account.close();
  });
  return { call, principal, params, share, headers, mayMutate: req.method === 'POST', goneSignal: () => goneSignal(res) };
}

/** Aborts when the connection closes before the answer was sent. */
function goneSignal(response: ServerResponse): AbortSignal {
  if (response.closed) return AbortSignal.abort();
  const gone = new AbortController();
  response.once('close', () => {
    if (!response.writableFinished) gone.abort();
  });
  return gone.signal;
}
