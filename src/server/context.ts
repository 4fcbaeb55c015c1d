import type { ServerResponse } from 'node:http';
import type { Principal } from '../domain/access/principal.ts';
import type { Share } from './connections/unsent.ts';
import type { Operation } from './documents/documents.ts';
import type { Cost } from './execution/cost.ts';
import type { Call } from './watch/call.ts';
import type { SpanLink } from './watch/traces.ts';

/** The parameters of a GraphQL request, whatever way it came. */
export interface Params {
  /** The document; empty where only its hash or its id was sent. */
  readonly query: string;
  readonly operationName?: string;
  readonly variables?: Readonly<Record<string, unknown>>;
  readonly extensions?: Readonly<Record<string, unknown>>;
  /** The id of a trusted document. */
  readonly documentId?: string;
}

/** What a transport knows of an operation when it hands it to the pipeline. */
export interface Asked {
  readonly call: Call;
  readonly principal: Principal;
  readonly params: Params;
  /** GET and HEAD change nothing. */
  readonly mayMutate: boolean;
  /** Counts the bytes that are made for this client and have not left. */
  readonly share: Share;
  /** Where rate limits are told. WebSockets have no such place. */
  readonly res?: ServerResponse;
  /** Aborted when nobody waits for the answer any more. Asked for by mutations alone: they may wait on purpose. */
  readonly goneSignal: () => AbortSignal;
}

/**
 * What the plugins of the pipeline pass from one to the next: envelop and Yoga call it the context. Resolvers see another one
 * (schema/core/context.ts), made anew for each execution and each frame.
 */
export interface OperationContext extends Asked {
  /** From useDocuments on. */
  readonly operation: Operation;
  /** From useCost on. */
  readonly cost: Cost;
  /** What the frames of a subscription point to in traces; from useWatch on. */
  readonly span: SpanLink | null;
}

/** `"extensions": {"cost": true}`: the answer is to say what it cost, in `extensions.cost`. */
export const wantsCost = ({ extensions }: Params): boolean => extensions?.cost === true;
