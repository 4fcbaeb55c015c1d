/** The context that resolvers get. */

import type { Principal } from '../../domain/access/principal.ts';
import type { Domain } from '../../domain/core/domain.ts';
import { noKey } from '../../domain/core/request-refusals.ts';
import type { Wakeups } from '../../realtime/wakeups.ts';
import { Loaders } from './loaders.ts';
import { ResponseBudget } from './response-budget.ts';

/**
 * Belongs to one query, one mutation or one frame of a subscription. Each gets its own, so that
 * none sees another's loaded rows.
 */
export interface Context {
  readonly domain: Domain;
  readonly wakeups: Wakeups;
  /** Null: the request had no key. Resolvers call `viewerOf`. */
  readonly principal: Principal | null;
  readonly loaders: Loaders;
  /** The budget for long texts, documents and lists in the answer. */
  readonly budget: ResponseBudget;
  /** The server's limits, as `gateway { limits }` shows them. */
  readonly serverLimits: object;
  /** Aborted when nobody waits for the answer. */
  readonly signal?: AbortSignal;
}

export interface ContextParts {
  readonly domain: Domain;
  readonly wakeups: Wakeups;
  readonly serverLimits?: { readonly answerBytes?: number };
}

/** What the caller of an execution provides. */
export interface Execution {
  readonly signal?: AbortSignal | undefined;
  /** The id of the request in the audit trail. */
  readonly requestId?: string;
  /** Called before a large read, and after it: see ResponseBudget. */
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

/** The caller. Throws UNAUTHENTICATED when the request had no key. */
export function viewerOf(context: Context): Principal {
  if (context.principal) return context.principal;
  throw noKey();
}
