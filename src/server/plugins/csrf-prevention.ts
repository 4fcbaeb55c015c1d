import type { IncomingMessage } from 'node:http';
import { foreignOrigin } from '../../domain/core/request-refusals.ts';
import { isAllowedOrigin } from '../http/cors.ts';
import { HttpRefusal } from '../http/refusal.ts';
import type { HttpPlugin } from '../yoga.ts';

/**
 * Refuses what a page of another site makes a browser ask without a preflight (cross-site request forgery).
 *
 * Most of it fails by itself: keys are sent in a header that no browser adds, mutations need POST, and POST needs a content type that
 * takes a preflight. What is left is a gateway behind a proxy that adds a key: there, an image of another site could run queries.
 * Browsers say of each request where it comes from (Fetch Metadata). Programs do not, and pass.
 */
export function useCsrfPrevention(origins: readonly string[]): HttpPlugin {
  return {
    onRequestParse({ serverContext: { req } }) {
      if (!isOfAnotherSite(req) || isListed(req, origins)) return;
      throw new HttpRefusal(403, foreignOrigin());
    },
  };
}

/** A link that somebody follows is no request of the page that it stood on. */
function isOfAnotherSite({ headers }: IncomingMessage): boolean {
  const site = headers['sec-fetch-site'];
  return (site === 'cross-site' || site === 'same-site') && headers['sec-fetch-mode'] !== 'navigate';
}

const isListed = (request: IncomingMessage, origins: readonly string[]): boolean =>
  request.headers.origin !== undefined && isAllowedOrigin(request, origins);
