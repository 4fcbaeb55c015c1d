/** The context that resolvers get. */

import type { Principal } from '../../domain/access/principal.ts';
import type { Domain } from '../../domain/core/domain.ts';
import { noKey } from '../../domain/core/request-refusals.ts';
import type { Wakeups } from '../../realtime/wakeups.ts';
import { WeighedReads } from '../../store/statements/weighed.ts';
import type { Queries } from '../../store/store.ts';
import { Loaders } from './loaders.ts';
import { ResponseBudget } from './response-budget.ts';

/**
 * Belongs to one query, one mutation or one frame of a subscription. Each gets its own, so that
 * none sees another's loaded rows.
 */
export interface Context {
  readonly domain: Domain;
  readonly wakeups: Wakeups;
  /** What is committed, as far as the answer has room for it. */
  readonly read: Queries;
  /** Null: the request had no key. Resolvers call `viewerOf`. */
  readonly principal: Principal | null;
  readonly loaders: Loaders;
  /** The budget for long texts, documents and lists in the answer. */
  readonly budget: ResponseBudget;
  /** The server's limits, as `gateway { limits }` shows them. */
  readonly serverLimits: object;
  /** Aborted when nobody waits for the answer. */
  readonly signal: AbortSignal | undefined;
}

export interface ContextParts {
  readonly domain: Domain;
  readonly wakeups: Wakeups;
  readonly serverLimits?: { readonly answerBytes?: number };
}

/** What the caller of an execution provides. */
export interface Execution {
  readonly signal?: () => AbortSignal;
  /** The id of the request in the audit trail. */
  readonly requestId?: string;
  /** Called before a large read, and after it: see ResponseBudget. */
  readonly lend?: (bytes: number) => void;
  readonly charge?: (characters: number) => void;
  /** Documents stay the text that is stored (text/json-text.ts). Default: they are parsed. */
  readonly areTexts?: boolean;
}

export function createContext(
  parts: ContextParts,
  principal: Principal | null,
  { signal, requestId, lend, charge, areTexts = false }: Execution = {},
): Context {
  const { wakeups, serverLimits = {} } = parts;
  const domain = requestId === undefined ? parts.domain : { ...parts.domain, requestId: () => requestId };
  const budget = new ResponseBudget(serverLimits.answerBytes ?? Number.POSITIVE_INFINITY, lend, charge);
  return {
    domain,
    read: new WeighedReads(domain.store.read, { room: budget.room, areTexts }),
    wakeups,
    serverLimits,
    principal,
    loaders: new Loaders(),
    budget,
    get signal() {
      return signal?.();
    },
  };
}

/** The caller. Throws UNAUTHENTICATED when the request had no key. */
export function viewerOf(context: Context): Principal {
  if (context.principal) return context.principal;
  throw noKey();
}
