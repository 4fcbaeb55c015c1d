import type { IncomingMessage, ServerResponse } from 'node:http';
import type { CORSOptions } from 'graphql-yoga';

/**
 * Whether a page of this origin may call: the gateway's own, or a listed one. Requests without an Origin come from no page (command
 * line, agent, curl) and pass. A browser always sends it on a WebSocket, where no CORS would stop another site's page.
 */
export function isAllowedOrigin(request: IncomingMessage, listed: readonly string[]): boolean {
  const { origin, host } = request.headers;
  if (origin === undefined || listed.includes(origin)) return true;
  try {
    return new URL(origin).host === host;
  } catch {
    return false;
  }
}

/** What pages of the listed origins may do. Those of others get no header at all: a browser then keeps the answer from them. */
const ALLOWED = {
  methods: ['GET', 'POST', 'PUT'],
  allowedHeaders: ['authorization', 'content-type', 'last-event-id', 'x-request-id', 'traceparent'],
  exposedHeaders: ['ratelimit', 'ratelimit-policy', 'retry-after', 'x-request-id'],
  maxAge: 600,
  // Keys are sent in a header, not in cookies.
  credentials: false,
};

/** CORS as Yoga takes it, for preflights to anywhere and for all that it answers. */
export function corsOf(listed: readonly string[]): (request: Request) => CORSOptions {
  return ({ headers }) => {
    const origin = headers.get('origin');
    return origin !== null && listed.includes(origin) && { ...ALLOWED, origin: [origin] };
  };
}

/** The same for an answer that is not Yoga's: that of a file, say. */
export function allowOrigin({ headers: { origin } }: IncomingMessage, response: ServerResponse, listed: readonly string[]): void {
  if (origin === undefined || !listed.includes(origin)) return;
  response.setHeader('access-control-allow-origin', origin);
  response.setHeader('access-control-expose-headers', ALLOWED.exposedHeaders.join(', '));
}

export function isPreflight({ method, headers }: IncomingMessage): boolean {
  return method === 'OPTIONS' && headers['access-control-request-method'] !== undefined;
}
