import { pageAddress } from './surroundings.ts';

/** Where a gateway is and with which key: all that a client needs to know. */
export interface Target {
  /**
   * The gateway's base URL, `http://127.0.0.1:4000`. A path before `/graphql` (a proxy's prefix) is
   * kept. In a browser it may be relative to the page: `/`.
   */
  readonly url: string;
  /**
   * A bearer key (`tyk_…`) or a lease token (`lease_…`). Without one, only health and GraphiQL's
   * page answer; a page of the gateway's own origin may be signed in by a cookie instead.
   */
  readonly token?: string | undefined;
  /** The default project. */
  readonly projectId?: string | undefined;
  /** More headers of each request. Called for each. */
  readonly headers?: (() => Readonly<Record<string, string>>) | undefined;
  /** More fields of the payload with which a socket begins. Called for each socket. */
  readonly connectionParams?: (() => Readonly<Record<string, unknown>>) | undefined;
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
  return new URL(path.replace(/^\/+/, ''), new URL(base, pageAddress()));
}

/** The headers of a request with a JSON body. */
export function headersOf(target: Target): Record<string, string> {
  return { 'content-type': 'application/json', ...authorization(target), ...target.headers?.() };
}

/** The payload of connection_init. */
export function paramsOf(target: Target): Record<string, unknown> {
  return { ...authorization(target), ...target.connectionParams?.() };
}

/** The header that authenticates at all endpoints. */
function authorization(target: Target): { authorization?: string } {
  return target.token === undefined ? {} : { authorization: `Bearer ${target.token}` };
}
