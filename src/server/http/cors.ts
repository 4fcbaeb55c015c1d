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

/** What pages of the listed origins may do. Pages of others get no CORS header, so a browser keeps the answer from them. */
const ALLOWED = {
  methods: ['GET', 'POST', 'PUT'],
  allowedHeaders: ['authorization', 'content-type', 'last-event-id', 'x-request-id', 'traceparent'],
  exposedHeaders: ['ratelimit', 'ratelimit-policy', 'retry-after', 'x-request-id'],
  maxAge: 600,
  // Keys are sent in a header, not in cookies.
  credentials: false,
};

/** CORS of preflights, which Yoga answers for every path. */
export function corsOf(listed: readonly string[]): (request: Request) => CORSOptions {
  return ({ method, headers }) => {
    const origin = headers.get('origin');
    return method === 'OPTIONS' && origin !== null && listed.includes(origin) && { ...ALLOWED, origin: [origin] };
  };
}

/** CORS of every other request, whoever answers it. */
export function allowOrigin({ headers: { origin } }: IncomingMessage, response: ServerResponse, listed: readonly string[]): void {
  if (origin === undefined || !listed.includes(origin)) return;
  response.setHeader('access-control-allow-origin', origin);
  response.setHeader('access-control-expose-headers', ALLOWED.exposedHeaders.join(', '));
}

export function isPreflight({ method, headers }: IncomingMessage): boolean {
  return method === 'OPTIONS' && headers['access-control-request-method'] !== undefined;
}
