import type { Principal } from '../domain/access/principal.ts';
import type { Share } from './connections/unsent.ts';
import type { Operation } from './documents/documents.ts';
import type { Cost } from './execution/cost.ts';
import type { AnswerHeaders } from './http/headers.ts';
import type { Call } from './watch/call.ts';
import type { SpanLink } from './watch/traces.ts';

/** The parameters of a GraphQL request over any transport. */
export interface Params {
  /** The document. Empty if only its hash or id was sent. */
  readonly query: string;
  readonly operationName?: string;
  readonly variables?: Readonly<Record<string, unknown>>;
  readonly extensions?: Readonly<Record<string, unknown>>;
  /** The id of a trusted document. */
  readonly documentId?: string;
}

/** What a transport passes to the pipeline with an operation. */
export interface Asked {
  readonly call: Call;
  readonly principal: Principal;
  readonly params: Params;
  /** False for GET and HEAD, which must not change anything. */
  readonly mayMutate: boolean;
  /** Counts the bytes that were produced for this client and not sent yet. */
  readonly share: Share;
  /** Get the state of the rate limit. WebSockets have none. */
  readonly headers?: AnswerHeaders;
  /**
   * A signal that is aborted when nobody waits for the answer any more. Called only for mutations,
   * because they may wait on purpose.
   */
  readonly goneSignal: () => AbortSignal;
}

/**
 * What the plugins of the pipeline pass from one to the next. Yoga calls it the context. Resolvers
 * get another one (schema/core/context.ts), which is created for each execution and each frame.
 */
export interface OperationContext extends Asked {
  /** Set by useDocuments. */
  readonly operation: Operation;
  /** Set by useCost. */
  readonly cost: Cost;
  /** The span that the frames of a subscription link to, if there is one. Set by useWatch. */
  readonly span: SpanLink | null;
}

/** Whether the client sent `"extensions": {"cost": true}`, which asks for `extensions.cost`. */
export const wantsCost = ({ extensions }: Params): boolean => extensions?.cost === true;
