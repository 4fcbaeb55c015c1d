/** What a resolver has at hand. */
import type { Domain } from '../domain/domain.ts';
import type { Principal } from '../domain/principal.ts';
import { RequestRefused } from '../domain/refusals.ts';
import type { Wakeups } from '../realtime/wakeups.ts';
import { Loaders } from './loaders.ts';

/** Of one query, one mutation or one frame of a subscription: made afresh for each, so that none sees another's rows. */
export interface Context {
  readonly domain: Domain;
  readonly wakeups: Wakeups;
  /** Null: no key came with the request. Resolvers ask `viewerOf`. */
  readonly principal: Principal | null;
  readonly loaders: Loaders;
  /** The server's limits, for who asks what they are. */
  readonly serverLimits: object;
  /** Aborted when nobody waits for the answer any more. */
  readonly signal?: AbortSignal;
}

export interface ContextParts {
  readonly domain: Domain;
  readonly wakeups: Wakeups;
  readonly serverLimits?: object;
}

export function createContext(parts: ContextParts, principal: Principal | null, signal?: AbortSignal): Context {
  const { domain, wakeups, serverLimits = {} } = parts;
  const loaders = new Loaders();
  return signal ? { domain, wakeups, serverLimits, principal, loaders, signal } : { domain, wakeups, serverLimits, principal, loaders };
}

/** Who is asking. Throws UNAUTHENTICATED when nobody said so. */
export function viewerOf(context: Context): Principal {
  if (context.principal) return context.principal;
  throw new RequestRefused('UNAUTHENTICATED', 'This needs a key: send it as `Authorization: Bearer KEY`.');
}
