/** The two media types of GraphQL over HTTP. They differ in one thing: what the status says of a request that was refused. */
export type MediaType = 'application/graphql-response+json' | 'application/json';

const EVENTS = 'text/event-stream';
const GRAPHQL = 'application/graphql-response+json';
const JSON_TYPE = 'application/json';

/** The media types that an Accept header allows, in lower case, the best first. A weight of 0 means: not this one. */
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

/** The media type that the client asked for first. JSON where it asked for neither: the answer's text is JSON whatever we call it. */
export function chooseMediaType(accept: string | undefined): MediaType {
  if (accept === undefined || accept === '*/*' || accept === JSON_TYPE) return JSON_TYPE;
  const first = readAccept(accept).find((type) => type === GRAPHQL || [JSON_TYPE, 'application/*', '*/*', '*'].includes(type));
  return first === GRAPHQL ? GRAPHQL : JSON_TYPE;
}

/** Whether the client takes server-sent events, and for what JSON would do as well: `first` asks for them before it, as urql does not. */
export function readStreamWish(accept: string | undefined): 'none' | 'first' | 'last' {
  const types = accept === undefined ? [] : readAccept(accept);
  const first = types.find((type) => type === EVENTS || type === JSON_TYPE || type === GRAPHQL);
  if (first === EVENTS) return 'first';
  return types.includes(EVENTS) ? 'last' : 'none';
}

/** Whether the client is a browser that opens a page. What only takes pages as well, as Java's does by default, names them too. */
export function prefersPage(accept: string | undefined): boolean {
  const types = accept === undefined ? [] : readAccept(accept);
  return types.find((type) => type === 'text/html' || type === JSON_TYPE || type === GRAPHQL || type === EVENTS) === 'text/html';
}
