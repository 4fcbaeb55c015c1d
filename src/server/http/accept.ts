/**
 * The two media types of GraphQL over HTTP. They differ only in the status of a request that is
 * refused.
 */
export type MediaType = 'application/graphql-response+json' | 'application/json';

const EVENTS = 'text/event-stream';
const GRAPHQL = 'application/graphql-response+json';
const JSON_TYPE = 'application/json';

/** The media types that a client accepts, in lower case, best first. Weight 0 excludes a type. */
function readAccept(accept: string): string[] {
  return accept
    .toLowerCase()
    .split(',')
    .map((range) => {
      const [type = '', ...parameters] = range.split(';').map((part) => part.trim());
      const weight = parameters.find((parameter) => /^q\s*=/.test(parameter))?.split('=')[1];
      return { type, weight: Number(weight ?? 1) };
    })
    .filter(({ weight }) => weight > 0)
    .sort((a, b) => b.weight - a.weight)
    .map(({ type }) => type);
}

/**
 * The media type that the client prefers. JSON if it names neither: the text of the answer is JSON
 * in any case.
 */
export function chooseMediaType(accept: string | undefined): MediaType {
  if (accept === undefined || accept === '*/*' || accept === JSON_TYPE) return JSON_TYPE;
  const first = readAccept(accept).find((type) => type === GRAPHQL || [JSON_TYPE, 'application/*', '*/*', '*'].includes(type));
  return first === GRAPHQL ? GRAPHQL : JSON_TYPE;
}

/**
 * Whether the client accepts server-sent events. `first`: it prefers them to JSON, even for a
 * query. `last`: it prefers JSON where that is possible, as urql does.
 */
export function readStreamWish(accept: string | undefined): 'none' | 'first' | 'last' {
  const types = accept === undefined ? [] : readAccept(accept);
  const first = types.find((type) => type === EVENTS || type === JSON_TYPE || type === GRAPHQL);
  if (first === EVENTS) return 'first';
  return types.includes(EVENTS) ? 'last' : 'none';
}

/**
 * Whether the client prefers a page, as a browser does that opens one. Java's client does so by
 * default as well, so its callers look at more than this.
 */
export function prefersPage(accept: string | undefined): boolean {
  const types = accept === undefined ? [] : readAccept(accept);
  return types.find((type) => type === 'text/html' || type === JSON_TYPE || type === GRAPHQL || type === EVENTS) === 'text/html';
}
