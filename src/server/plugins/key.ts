import type { IncomingMessage } from 'node:http';
import type { Principal } from '../../domain/access/principal.ts';
import { invalidKey } from '../../domain/core/request-refusals.ts';
import type { ServerParts } from '../app.ts';
import { admit } from '../connections/arrivals.ts';
import { credentialsOf } from '../http/credentials.ts';
import type { AnswerHeaders } from '../http/headers.ts';
import { HttpRefusal, requirePace } from '../http/refusal.ts';
import type { HttpPlugin } from '../yoga.ts';

/** Authenticates the key and takes its first point before the body is read. */
export function useKey<C extends object>(parts: ServerParts<C>): HttpPlugin {
  return {
    async onRequestParse({ serverContext }) {
      serverContext.principal = await requireKey(parts, serverContext.req, serverContext.res);
    },
  };
}

type KeyParts = Pick<ServerParts<object>, 'authenticate' | 'rates'>;

/**
 * The principal of a request, at once if its key is known. Throws an HttpRefusal: 401 without a
 * valid key, 429 if requests come or keys are guessed too fast.
 */
export function requireKey(parts: KeyParts, request: IncomingMessage, headers: AnswerHeaders): Promise<Principal> | Principal {
  const found = parts.authenticate(credentialsOf(request));
  return found instanceof Promise
    ? found.then((principal) => requirePrincipal(parts, principal, request, headers))
    : requirePrincipal(parts, found, request, headers);
}

function requirePrincipal(parts: KeyParts, principal: Principal | null, request: IncomingMessage, headers: AnswerHeaders): Principal {
  if (!principal) {
    requirePace(parts.rates.takeOfStranger(request));
    throw new HttpRefusal(401, invalidKey(), { 'www-authenticate': 'Bearer' });
  }
  admit(request);
  requirePace(parts.rates.takeOf(principal, 1, headers));
  return principal;
}
