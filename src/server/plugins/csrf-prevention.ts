import type { IncomingMessage } from 'node:http';
import { foreignOrigin } from '../../domain/core/request-refusals.ts';
import { isAllowedOrigin } from '../http/cors.ts';
import { HttpRefusal } from '../http/refusal.ts';
import type { HttpPlugin } from '../yoga.ts';

/**
 * Refuses requests that a page of another site makes a browser send (cross-site request forgery).
 *
 * Most of them fail anyway. No browser adds the header that keys are sent in, mutations need POST,
 * and POST needs a content type that takes a preflight. But behind a proxy that adds a key, an
 * image on another site could run queries. Browsers send the site that a request comes from (Fetch
 * Metadata). Programs do not, and pass.
 */
export function useCsrfPrevention(origins: readonly string[]): HttpPlugin {
  return {
    onRequestParse({ serverContext: { req } }) {
      requireOwnSite(req, origins);
    },
  };
}

/** Throws an HttpRefusal of 403 for a request of a page that is neither ours nor of `origins`. */
export function requireOwnSite(request: IncomingMessage, origins: readonly string[]): void {
  if (isOfAnotherSite(request) && !isListed(request, origins)) throw new HttpRefusal(403, foreignOrigin());
}

/** Following a link is not a request of the page that the link is on. */
function isOfAnotherSite({ headers }: IncomingMessage): boolean {
  const site = headers['sec-fetch-site'];
  return (site === 'cross-site' || site === 'same-site') && headers['sec-fetch-mode'] !== 'navigate';
}

const isListed = (request: IncomingMessage, origins: readonly string[]): boolean =>
  request.headers.origin !== undefined && isAllowedOrigin(request, origins);
