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
import { usePipeline } from './plugins/pipeline.ts';
import { useReplies } from './plugins/replies.ts';
import type { Call } from './watch/call.ts';

/**
 * The context of a request over HTTP. The server contexts of Yoga and the pipeline are one object,
 * to which the plugins add the other fields.
 */
export interface HttpContext extends OperationContext {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly call: Call;
  /** Set by useKey. */
  principal: Principal;
  /** Whether the events of a stream have ids to resume from. Set by useEventStreams. */
  readonly hasCursors: boolean;
}

/** A plugin that needs HTTP, so WebSockets do not run it. */
export type HttpPlugin = Plugin<HttpContext, HttpContext>;

/**
 * The server of `/graphql`: graphql-yoga, with the gateway's pipeline among its plugins.
 *
 * It answers GET, HEAD, server-sent events, GraphiQL, preflights and unusual requests. POST with
 * JSON (hot-path.ts) and WebSockets (websocket/) run the same pipeline without it.
 */
export function createServerOfGraphql<C extends object>(parts: GraphqlParts<C>) {
  const { pipeline, connections, ofKey, origins } = parts;
  const { answers } = pipeline;
  const yoga = createYoga<HttpContext>({
    schema: parts.schema,
    graphiql: (_request, { req }) => parts.trustedDocuments === null && wantsPage(req),
    renderGraphiQL: renderPage,
    cors: corsOf(origins), // for preflights
    plugins: [
      usePageHeaders(),
      useCsrfPrevention(origins), // requests that pages of other sites must not send: 403
      useKey(parts), // authenticates: 401, or 429
      useParams(parts), // reads the body within its limits of size and time: 408, 413, 415
      usePipeline(pipeline), // documents, cost, rates, JIT, shared frames, unsent limits, watch
      useEventStreams(parts, answers, ofKey), // decides which requests get a stream, from which cursor and for how long
      useReplies(parts, answers), // sends JSON or events, masked, in the media type that the client accepts
    ],
    extraParamNames: ['documentId'],
    // The plugins above do the first three. The others are not offered.
    maskedErrors: false,
    maxRequestBodySize: false,
    parserAndValidationCache: false,
    batching: false,
    multipart: false,
    landingPage: false,
    logging: false,
    healthCheckEndpoint: NOWHERE,
  });

  /** Answers a request to `/graphql`, whatever form its target has. */
  return async (req: IncomingMessage, res: ServerResponse, call: Call, { path, search }: Target): Promise<void> => {
    // HEAD is answered like GET: node:http sends no body. useParams reads bodies, from the request
    // itself.
    const method = req.method === 'HEAD' ? 'GET' : (req.method ?? 'GET');
    const headers = req.headers as Record<string, string>; // the only header with several values, Set-Cookie, is not sent in requests
    const response = await yoga.fetch(`http://gateway${path}${search}`, { method, headers }, { req, res, call });
    sendResponse(req, res, response, connections);
  };
}

/** Yoga compares it with the end of the URL, including the query. No URL ends with a space. */
const NOWHERE = ' ';

/** The GraphiQL page has its own Content-Security-Policy. */
function usePageHeaders(): HttpPlugin {
  return {
    onResponse({ response, serverContext }) {
      if (serverContext.operation || !response.headers.get('content-type')?.startsWith('text/html')) return;
      for (const [name, value] of Object.entries(pageHeaders)) response.headers.set(name, value);
    },
  };
}
