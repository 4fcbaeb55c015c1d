/** The target of a request line. */
export interface Target {
  /** `/graphql`, even if the client sent `/graphql/`, `//graphql` or `http://gateway/graphql`. */
  readonly path: string;
  /** The rest, from the `?`. */
  readonly search: string;
}

const USUAL: Target = { path: '/graphql', search: '' };

/**
 * Reads the target of a request. As RFC 9112 requires, it accepts whole URLs, which a client sends
 * if it takes the gateway for a proxy.
 */
export function readTarget(target = '/'): Target {
  if (target === USUAL.path) return USUAL;
  const local = target.replace(/^[a-z][a-z\d+.-]*:\/\/[^/?#]*/i, '');
  const end = local.indexOf('?');
  const path = (end < 0 ? local : local.slice(0, end)).replaceAll(/\/{2,}/g, '/').replace(/(.)\/$/, '$1');
  return { path: path || '/', search: end < 0 ? '' : local.slice(end) };
}
