/**
 * Who calls: a key, or a session that stands in a cookie.
 *
 * A browser sends cookies by itself, also for pages of other sites. So a session counts only if a
 * page of this gateway asks for it by name, in a header that pages of other sites cannot set, and
 * if the browser says that the request comes from such a page. Several keys can have a session in
 * one browser at once: someone who opens a watch link stays signed in.
 */
import type { IncomingMessage } from 'node:http';
import { isOwnOrigin } from './cors.ts';

export interface Credentials {
  /** `Bearer tyk_…`, from the header or the field in connection_init's payload. */
  readonly authorization?: string | undefined;
  /** The token of a session. */
  readonly session?: string | undefined;
}

/** The header, and the field of connection_init's payload, with the id of the session's key. */
export const SESSION = 'x-trainyard-session';

export function credentialsOf(request: IncomingMessage): Credentials {
  const { authorization } = request.headers;
  return authorization === undefined ? { session: readSession(request, request.headers[SESSION]) } : { authorization };
}

/** Clients that copy their HTTP headers spell the field of the payload `Authorization`. */
export function credentialsOfSocket(request: IncomingMessage, payload: Readonly<Record<string, unknown>> | undefined): Credentials {
  const fields = new Map(Object.entries(payload ?? {}).map(([name, value]) => [name.toLowerCase(), value]));
  const authorization = fields.get('authorization');
  return typeof authorization === 'string' ? { authorization } : { session: readSession(request, fields.get(SESSION)) };
}

function readSession(request: IncomingMessage, keyId: unknown): string | undefined {
  if (typeof keyId !== 'string' || !isOfOwnPage(request)) return undefined;
  const name = cookieOf(keyId);
  const pairs = (request.headers.cookie ?? '').split(';').map((pair) => pair.trim().split('='));
  return pairs.find(([key]) => key === name)?.[1];
}

/** Browsers may leave out Origin where a page asks its own site, and say so in another header. */
function isOfOwnPage(request: IncomingMessage): boolean {
  const { origin, 'sec-fetch-site': site } = request.headers;
  return origin === undefined ? site === undefined || site === 'same-origin' : isOwnOrigin(request);
}

export const cookieOf = (keyId: string): string => `trainyard_${keyId}`;
