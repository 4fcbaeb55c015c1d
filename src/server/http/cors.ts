import type { IncomingMessage } from 'node:http';
import type { CORSOptions } from 'graphql-yoga';
import type { AnswerHeaders } from './headers.ts';

/**
 * Whether a page of this origin may call: it is the gateway's own origin, or a listed one. Requests
 * without an Origin do not come from a page (but from a command line, an agent, curl) and pass. A
 * browser always sends an Origin with a WebSocket, where CORS would not stop another site's page.
 */
export function isAllowedOrigin(request: IncomingMessage, listed: readonly string[]): boolean {
  const { origin } = request.headers;
  return origin === undefined || listed.includes(origin) || isOwnOrigin(request);
}

/** Whether a page of the gateway calls. */
export function isOwnOrigin({ headers: { origin = '', host } }: IncomingMessage): boolean {
  return host !== undefined && URL.parse(origin)?.host === host;
}

/**
 * What pages of the listed origins may do. Pages of others get no CORS header, so the browser hides
 * the answer from them.
 */
const ALLOWED = {
  methods: ['GET', 'POST', 'PUT'],
  allowedHeaders: ['authorization', 'content-type', 'last-event-id', 'x-request-id', 'traceparent'],
  exposedHeaders: ['ratelimit', 'ratelimit-policy', 'retry-after', 'x-request-id'],
  maxAge: 600,
  // Pages of other origins send keys in a header. Sessions are for the gateway's own.
  credentials: false,
};

/** CORS for preflights, which Yoga answers on every path. */
export function corsOf(listed: readonly string[]): (request: Request) => CORSOptions {
  return ({ method, headers }) => {
    const origin = headers.get('origin');
    return method === 'OPTIONS' && origin !== null && listed.includes(origin) && { ...ALLOWED, origin: [origin] };
  };
}

/** CORS for all other requests. */
export function allowOrigin({ headers: { origin } }: IncomingMessage, answer: AnswerHeaders, listed: readonly string[]): void {
  if (origin === undefined || !listed.includes(origin)) return;
  answer.setHeader('access-control-allow-origin', origin);
  answer.setHeader('access-control-expose-headers', ALLOWED.exposedHeaders.join(', '));
}

export function isPreflight({ method, headers }: IncomingMessage): boolean {
  return method === 'OPTIONS' && headers['access-control-request-method'] !== undefined;
}
