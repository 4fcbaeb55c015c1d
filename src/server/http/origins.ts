import type { IncomingMessage, ServerResponse } from 'node:http';

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

/**
 * CORS for the listed origins, nothing at all for the others: a browser then keeps the answer from their pages. Answers a preflight
 * itself and returns true.
 */
export function answerCors(request: IncomingMessage, response: ServerResponse, listed: readonly string[]): boolean {
  const { origin } = request.headers;
  const isPreflight = request.method === 'OPTIONS' && request.headers['access-control-request-method'] !== undefined;
  if (listed.length > 0) response.setHeader('vary', 'Origin');
  if (origin !== undefined && listed.includes(origin)) {
    response.setHeader('access-control-allow-origin', origin);
    response.setHeader('access-control-expose-headers', 'ratelimit, ratelimit-policy, retry-after, x-request-id');
    if (isPreflight) {
      response.setHeader('access-control-allow-methods', 'GET, POST, PUT');
      response.setHeader('access-control-allow-headers', 'authorization, content-type, last-event-id, x-request-id, traceparent');
      response.setHeader('access-control-max-age', '600');
    }
  }
  if (isPreflight) response.writeHead(204).end();
  return isPreflight;
}
