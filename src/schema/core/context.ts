/** What a resolver has at hand. */

import type { Principal } from '../../domain/access/principal.ts';
import type { Domain } from '../../domain/core/domain.ts';
import { noKey } from '../../domain/core/refusals.ts';
import type { Wakeups } from '../../realtime/wakeups.ts';
import { Loaders } from './loaders.ts';
import { ResponseBudget } from './response-budget.ts';

/** Of one query, one mutation or one frame of a subscription: made afresh for each, so that none sees another's rows. */
export interface Context {
  readonly domain: Domain;
  readonly wakeups: Wakeups;
  /** Null: no key came with the request. Resolvers ask `viewerOf`. */
  readonly principal: Principal | null;
  readonly loaders: Loaders;
  /** What its long texts, documents and lists take from. */
  readonly budget: ResponseBudget;
  /** The server's limits, for who asks what they are. */
  readonly serverLimits: object;
  /** Aborted when nobody waits for the answer any more. */
  readonly signal?: AbortSignal;
}

export interface ContextParts {
  readonly domain: Domain;
  readonly wakeups: Wakeups;
  readonly serverLimits?: { readonly answerBytes?: number };
}

/** What an execution is told by who runs it. */
export interface Execution {
  readonly signal?: AbortSignal | undefined;
  /** What the audit trail is to name the request by. */
  readonly requestId?: string;
  /** Called before much is read, and after: see ResponseBudget. */
  readonly lend?: (bytes: number) => void;
  readonly charge?: (characters: number) => void;
}

export function createContext(
  parts: ContextParts,
  principal: Principal | null,
  { signal, requestId, lend, charge }: Execution = {},
): Context {
  const { wakeups, serverLimits = {} } = parts;
  const domain = requestId === undefined ? parts.domain : { ...parts.domain, requestId: () => requestId };
  const context = {
    domain,
    wakeups,
    serverLimits,
    principal,
    loaders: new Loaders(),
    budget: new ResponseBudget(serverLimits.answerBytes ?? Number.POSITIVE_INFINITY, lend, charge),
  };
  return signal ? { ...context, signal } : context;
}

/** Who is asking. Throws UNAUTHENTICATED when nobody said so. */
export function viewerOf(context: Context): Principal {
  if (context.principal) return context.principal;
  throw noKey();
}
