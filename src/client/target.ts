/** Where a gateway is and with which key: all that a client needs to know. */
export interface Target {
  /**
   * The gateway's base URL, `http://127.0.0.1:4000`. A path before `/graphql` (a proxy's prefix) is
   * kept.
   */
  readonly url: string;
  /**
   * A bearer key (`tyk_…`) or a lease token (`lease_…`). Without one, only health and GraphiQL's
   * page answer.
   */
  readonly token?: string | undefined;
  /** The default project. */
  readonly projectId?: string | undefined;
}

/** The URL of the GraphQL endpoint for HTTP. */
export function graphqlUrl(target: Target): string {
  return resolveUrl(target, 'graphql').href;
}

/** The URL of the GraphQL endpoint for a WebSocket. */
export function socketUrl(target: Target): string {
  const url = resolveUrl(target, 'graphql');
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  return url.href;
}

/** Resolves a relative URL from the gateway (`/fragments/…?…`). */
export function resolveUrl(target: Target, path: string): URL {
  const base = target.url.endsWith('/') ? target.url : `${target.url}/`;
  return new URL(path.replace(/^\/+/, ''), base);
}

/** The header that authenticates at all endpoints. */
export function authorization(target: Target): { authorization?: string } {
  return target.token === undefined ? {} : { authorization: `Bearer ${target.token}` };
}
