import type { IncomingMessage, ServerResponse } from 'node:http';
import { createYoga, type Plugin } from 'graphql-yoga';
import type { Principal } from '../domain/access/principal.ts';
import type { GraphqlParts } from './app.ts';
import type { OperationContext } from './context.ts';
import { pageHeaders, renderPage, wantsPage } from './graphiql/page.ts';
import { corsOf } from './http/cors.ts';
import { sendResponse } from './http/send.ts';
import type { Target } from './http/target.ts';
import { useCsrfPrevention } from './plugins/csrf-prevention.ts';
import { useEventStreams } from './plugins/event-streams.ts';
import { useKey } from './plugins/key.ts';
import { useParams } from './plugins/params.ts';
import { useReplies } from './plugins/replies.ts';
import type { Call } from './watch/call.ts';

/** A request over HTTP as the plugins see it. What it has beside these, they add: Yoga's server context and envelop's are one object. */
export interface HttpContext extends OperationContext {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly call: Call;
  /** From useKey on. */
  principal: Principal;
  /** Whether the events of a stream have ids to go on from; from useEventStreams on. */
  readonly hasCursors: boolean;
}

/** A plugin that needs HTTP: it is of no use to WebSockets. */
export type HttpPlugin = Plugin<HttpContext, HttpContext>;

/**
 * The server of `/graphql`: graphql-yoga, with the gateway's pipeline among its plugins.
 *
 * It answers GET, HEAD, server-sent events, GraphiQL, preflights, and unusual requests. POST with
 * JSON (hot-path.ts) and WebSockets (websocket/) come to the same pipeline without it.
 */
export function createServerOfGraphql<C extends object>(parts: GraphqlParts<C>) {
  const { pipeline, connections, ofKey, origins } = parts;
  const { answers } = pipeline;
  const yoga = createYoga<HttpContext>({
    schema: parts.schema,
    graphiql: (_request, { req }) => parts.trustedDocuments === null && wantsPage(req),
    renderGraphiQL: renderPage,
    cors: corsOf(origins), // of preflights
    plugins: [
      usePageHeaders(),
      useCsrfPrevention(origins), // what pages of other sites may not ask: 403
      useKey(parts), // whose request it is: 401, or 429
      useParams(parts), // the body within its size and its time: 408, 413, 415
      ...pipeline.plugins, // documents, cost, rates, JIT, shared frames, unsent limits, watch
      useEventStreams(parts, answers, ofKey), // who may have a stream, from where, for how long
      useReplies(parts, answers), // masked, of the media type that is wanted, as JSON or as events
    ],
    extraParamNames: ['documentId'],
    // Each of these is one of the plugins above, or nothing that is offered here.
    maskedErrors: false,
    maxRequestBodySize: false,
    parserAndValidationCache: false,
    batching: false,
    multipart: false,
    landingPage: false,
    logging: false,
    healthCheckEndpoint: NOWHERE,
  });

  /** Answers a request to `/graphql`, in whatever way its target was written. */
  return async (req: IncomingMessage, res: ServerResponse, call: Call, { path, search }: Target): Promise<void> => {
    // HEAD is answered as GET is: node:http sends no body. Bodies are read by useParams, from the request itself.
    const method = req.method === 'HEAD' ? 'GET' : (req.method ?? 'GET');
    const headers = req.headers as Record<string, string>; // the one header of several values, Set-Cookie, is none of requests
    const response = await yoga.fetch(`http://gateway${path}${search}`, { method, headers }, { req, res, call });
    sendResponse(req, res, response, connections);
  };
}

/** Yoga compares the end of the address, its query included, with it: none ends with this. */
const NOWHERE = ' ';

/** GraphiQL comes with a policy of its own. */
function usePageHeaders(): HttpPlugin {
  return {
    onResponse({ response, serverContext }) {
      if (serverContext.operation || !response.headers.get('content-type')?.startsWith('text/html')) return;
      for (const [name, value] of Object.entries(pageHeaders)) response.headers.set(name, value);
    },
  };
}
