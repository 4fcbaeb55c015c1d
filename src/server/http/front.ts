import type { IncomingMessage, ServerResponse } from 'node:http';
import type { GraphQLError } from 'graphql';
import type { ServerParts } from '../app.ts';
import { admit } from '../connections/arrivals.ts';
import type { Connections } from '../connections/connections.ts';
import { pointsOf, type TooFast } from '../connections/rates.ts';
import { keyOf, type Tally } from '../connections/tally.ts';
import { exceed, noteLimit, refuse } from '../errors.ts';
import type { Operations, Params } from '../operations.ts';
import type { Call } from '../watch/call.ts';
import { readStreamWish } from './accept.ts';
import { sendAnswer, sendRefusal, sendUnauthenticated, watchAnswer } from './answers.ts';
import { Refusal, readParams, readQueryString } from './params.ts';
import { findCursorVariable, goOnAfter } from './resume.ts';
import { openEvents, sendStream } from './sse.ts';

/**
 * `/graphql` over HTTP: POST with JSON, GET and HEAD with a query string, and any with "Accept: text/event-stream" for a stream.
 *
 * It goes from node:http straight to the pipeline. graphql-yoga's HTTP layer was the first choice: `{ hello }` measured 2,300 requests/s
 * through it and 8,700 through a front like this one, it takes 120 ms to load, and what it would still do for GET and SSE (read four
 * parameters, write two lines an event) is less than fitting its errors and its limits to ours. The GraphQL-over-HTTP audits hold this
 * to the specification.
 */
export async function answerGraphql<C extends object>(
  parts: ServerParts<C>,
  operations: Operations<C>,
  connections: Connections,
  ofKey: Tally,
  request: IncomingMessage,
  response: ServerResponse,
  call: Call,
): Promise<void> {
  try {
    const principal = await parts.authenticate(request.headers.authorization);
    if (!principal) {
      requirePace(parts.rates.takeOfStranger(request));
      return sendUnauthenticated(request, response);
    }
    admit(request);
    requirePace(parts.rates.takeOf(principal, 1, response));
    const params = await takeParams(parts, request, response);
    const found = operations.find(params);
    const wish = readStreamWish(request.headers.accept);
    if (!('node' in found)) {
      operations.noteRefusal(found, params, principal, call);
      const answer = operations.refusal(found, call);
      return wish === 'first' ? sendStream(response, connections, answer) : sendAnswer(request, response, answer);
    }
    if (found.node.operation === 'mutation' && request.method !== 'POST') {
      throw new Refusal(405, refuse('BAD_REQUEST', 'Send mutations with POST.'), { allow: 'POST' });
    }
    requirePace(parts.rates.takeOf(principal, pointsOf(operations.price(found, params).nodes) - 1, response));
    if (response.closed) return;
    const account = parts.unsent.open(keyOf(principal));
    const share = account.share();
    response.once('close', () => {
      share.close();
      account.close();
    });
    if (found.node.operation !== 'subscription') {
      // Only a mutation may wait on purpose, for work to claim: when its client has gone, it must not be given any.
      const signal = found.node.operation === 'mutation' ? goneSignal(response) : undefined;
      const answer = await operations.execute(found, params, principal, call, { share, signal });
      if (wish === 'first') return sendStream(response, connections, answer);
      sendAnswer(request, response, answer);
      return watchAnswer(connections, response);
    }
    if (wish === 'none') {
      throw new Refusal(
        406,
        refuse('BAD_REQUEST', 'Subscribe over a WebSocket (graphql-transport-ws) or with "Accept: text/event-stream".'),
      );
    }
    if (response.closed) return;
    if (request.method === 'HEAD') return openEvents(response);
    const release = ofKey.take(keyOf(principal));
    if (!release) throw new Refusal(429, refuseSocket(parts.limits.socketsPerKey));
    response.once('close', release);
    const variable = findCursorVariable(found.node);
    const id = request.headers['last-event-id'];
    const resumed = goOnAfter(params, typeof id === 'string' ? id : undefined, variable);
    const frames = await operations.subscribe(found, resumed, principal, { ...call, transport: 'sse' }, share);
    if ('outcome' in frames) return sendStream(response, connections, frames);
    if (response.closed) return void frames.return();
    // Clients of streams cannot be told by a close code: the last frame says it.
    const stopWatching = parts.onKeyEnd(principal, (why) =>
      frames.end(
        operations.refusal([refuse('UNAUTHENTICATED', `The key was ${why === 'expired' ? 'good until now: it expired' : 'revoked'}.`)])
          .text,
      ),
    );
    response.once('close', stopWatching);
    sendStream(response, connections, frames, variable !== null);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    noteLimit(parts.meters, error.error.extensions);
    sendRefusal(request, response, error);
  }
}

/** Throws a Refusal of 429 with Retry-After. */
function requirePace(tooFast: TooFast | null): void {
  if (tooFast) throw new Refusal(429, tooFast.error, { 'retry-after': String(Math.ceil(tooFast.retryMs / 1_000)) });
}

function refuseSocket(allowed: number): GraphQLError {
  return exceed('socketsPerKey', 'This key has too many sockets and streams open.', { allowed, asked: allowed + 1 });
}

function takeParams<C extends object>(parts: ServerParts<C>, request: IncomingMessage, response: ServerResponse): Promise<Params> | Params {
  if (request.method === 'POST') return readParams(request, response, parts.limits);
  if (request.method === 'GET' || request.method === 'HEAD') return readQueryString(request);
  throw new Refusal(405, refuse('BAD_REQUEST', 'Use POST, or GET for queries.'), { allow: 'GET, HEAD, POST, OPTIONS' });
}

/** Aborted when the connection closes before the answer was sent. */
function goneSignal(response: ServerResponse): AbortSignal {
  const gone = new AbortController();
  response.once('close', () => {
    if (!response.writableFinished) gone.abort();
  });
  return gone.signal;
}
