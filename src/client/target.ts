/** Where a gateway is and who asks: all that a client needs to know. */
export interface Target {
  /** The gateway's base address, `http://127.0.0.1:4000`; a path in front of `/graphql` (a proxy's prefix) is kept. */
  readonly url: string;
  /** A bearer key (`tyk_…`) or a lease's token (`lease_…`). Without one only health and GraphiQL's page answer. */
  readonly token?: string | undefined;
  /** The project that is meant where none is named. */
  readonly projectId?: string | undefined;
}

/** The address of the GraphQL endpoint, for HTTP. */
export function graphqlUrl(target: Target): string {
  return resolveUrl(target, 'graphql').href;
}

/** The address of the GraphQL endpoint, for a WebSocket. */
export function socketUrl(target: Target): string {
  const url = resolveUrl(target, 'graphql');
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  return url.href;
}

/** A relative address that the gateway answered (`/fragments/…?…`), as one that can be asked for. */
export function resolveUrl(target: Target, path: string): URL {
  const base = target.url.endsWith('/') ? target.url : `${target.url}/`;
  return new URL(path.replace(/^\/+/, ''), base);
}

/** What both endpoints take as proof of who asks. */
export function authorization(target: Target): { authorization?: string } {
  return target.token === undefined ? {} : { authorization: `Bearer ${target.token}` };
}
