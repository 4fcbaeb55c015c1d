/**
 * `/session`: POST exchanges a key for a cookie, DELETE takes the cookie back.
 *
 * The page cannot read the cookie. A script that got into it could use the session for as long as
 * the page is open, but not carry the key away.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { openSession } from '../../domain/access/sessions.ts';
import type { Domain } from '../../domain/core/domain.ts';
import { badRequest, foreignOrigin, invalidKey } from '../../domain/core/request-refusals.ts';
import type { Endpoint, ServerParts } from '../app.ts';
import { isAllowedOrigin } from '../http/cors.ts';
import { cookieOf, SESSION } from '../http/credentials.ts';
import { HttpRefusal } from '../http/refusal.ts';
import { requireKey } from '../plugins/key.ts';

/**
 * POST answers `{"keyId": "key_…", "kind": "WATCH", "jobId": "job_…", "seconds": 43200}`. `jobId`
 * is null for keys that are not of one job.
 */
export function sessionEndpoint(domain: Domain, parts: Pick<ServerParts<object>, 'authenticate' | 'rates'>): Endpoint {
  return async (request, response) => {
    if (request.method !== 'POST' && request.method !== 'DELETE')
      throw new HttpRefusal(405, badRequest.sessionMethod(), { allow: 'POST, DELETE' });
    if (!isAllowedOrigin(request, [])) throw new HttpRefusal(403, foreignOrigin());
    if (request.method === 'DELETE') return end(request, response);
    const { keyId, kind, jobId } = await requireKey(parts, request, response);
    if (keyId === null) throw new HttpRefusal(401, invalidKey()); // a lease token
    const { token, seconds } = openSession(domain, keyId);
    response.writeHead(200, {
      'content-type': 'application/json; charset=utf-8',
      'cache-control': 'no-store',
      'set-cookie': cookie(request, keyId, token, seconds),
    });
    response.end(JSON.stringify({ keyId, kind, jobId, seconds }));
  };
}

function end(request: IncomingMessage, response: ServerResponse): void {
  const keyId = request.headers[SESSION];
  const isId = typeof keyId === 'string' && /^key_[0-9a-z]{26}$/.test(keyId);
  response.writeHead(204, { 'cache-control': 'no-store', ...(isId && { 'set-cookie': cookie(request, keyId, '', 0) }) }).end();
}

/** A proxy may speak TLS for the gateway: the page's origin says whether its site does. */
function cookie({ headers: { origin } }: IncomingMessage, keyId: string, token: string, seconds: number): string {
  const secure = origin?.startsWith('https:') ? '; Secure' : '';
  return `${cookieOf(keyId)}=${token}; Max-Age=${seconds}; Path=/; HttpOnly; SameSite=Strict${secure}`;
}
