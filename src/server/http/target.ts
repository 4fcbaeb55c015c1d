/** The target of a request line. */
export interface Target {
  /** Where it goes: `/graphql`, whether the client wrote `/graphql/`, `//graphql` or `http://gateway/graphql`. */
  readonly path: string;
  /** The rest, from its `?` on. */
  readonly search: string;
}

const USUAL: Target = { path: '/graphql', search: '' };

/** Reads the target of a request as liberally as RFC 9112 has it: clients that take the gateway for a proxy send the whole address. */
export function readTarget(target = '/'): Target {
  if (target === USUAL.path) return USUAL;
  const local = target.replace(/^[a-z][a-z\d+.-]*:\/\/[^/?#]*/i, '');
  const end = local.indexOf('?');
  const path = (end < 0 ? local : local.slice(0, end)).replaceAll(/\/{2,}/g, '/').replace(/(.)\/$/, '$1');
  return { path: path || '/', search: end < 0 ? '' : local.slice(end) };
}
