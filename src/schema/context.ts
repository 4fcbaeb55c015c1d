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
  /** Aborted when nobody waits for the answer any more. */
  readonly signal?: AbortSignal;
}

export interface ContextParts {
  readonly domain: Domain;
  readonly wakeups: Wakeups;
}

export function createContext({ domain, wakeups }: ContextParts, principal: Principal | null, signal?: AbortSignal): Context {
  const loaders = new Loaders();
  return signal ? { domain, wakeups, principal, loaders, signal } : { domain, wakeups, principal, loaders };
}

/** Who is asking. Throws UNAUTHENTICATED when nobody said so. */
export function viewerOf(context: Context): Principal {
  if (context.principal) return context.principal;
  throw new RequestRefused('UNAUTHENTICATED', 'This needs a key: send it as `Authorization: Bearer KEY`.');
}
