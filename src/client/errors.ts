import type { ErrorCode } from './generated.ts';

/**
 * The gateway could not be reached or could not answer: no connection, a connection lost on the way, a timeout, an HTTP 5xx.
 * Trying again later is right; whether the request took effect is not known (an idempotency key makes the retry safe).
 */
export class GatewayUnreachable extends Error {
  override readonly name = 'GatewayUnreachable';
  /** How long the gateway asked to be left alone; null where it did not say. */
  readonly retryAfterMs: number | null;

  constructor(message: string, options: ErrorOptions & Waiting = {}) {
    super(message, options);
    this.retryAfterMs = options.retryAfterMs ?? null;
  }
}

interface Waiting {
  readonly retryAfterMs?: number | null;
}

/**
 * The gateway refused the whole request, with a top-level error: who are you (UNAUTHENTICATED, FORBIDDEN), malformed or too costly
 * (BAD_REQUEST, LIMIT_EXCEEDED), or a fault of its own (INTERNAL_ERROR). The same request would be refused again, except for UNAVAILABLE (the
 * gateway's disk is full, or its database away) and where it only came too fast: then `retryAfterMs` says when to send it again.
 */
export class RequestRefused extends Error {
  override readonly name = 'RequestRefused';
  /** `extensions.code` of the first error, or one derived from the HTTP status. */
  readonly code: string;
  /** After how long the same request may be taken: nothing was wrong with it, and nothing came of it. Null: nothing is known of that. */
  readonly retryAfterMs: number | null;

  constructor(code: string, message: string, options: ErrorOptions & Waiting = {}) {
    super(message, options);
    this.code = code;
    this.retryAfterMs = options.retryAfterMs ?? null;
  }
}

/** One field of an input that was not taken: `path` as in the input, `["items", "2", "value"]`. */
export interface InputIssue {
  readonly path: readonly string[];
  readonly message: string;
}

/** The members of a result union that are refusals. */
export interface Refusal {
  readonly __typename: string;
  readonly code: ErrorCode;
  readonly message: string;
  readonly issues?: readonly InputIssue[];
}

/** An expected refusal of one mutation (a member of its result union). Nothing was changed. */
export class Refused extends Error {
  override readonly name = 'Refused';
  readonly code: ErrorCode;
  /** What is wrong with which field; empty unless the code is INVALID_INPUT. */
  readonly issues: readonly InputIssue[];
  /** The refusal as it was answered. */
  readonly refusal: Refusal;

  constructor(refusal: Refusal) {
    super(refusal.message);
    this.code = refusal.code;
    this.issues = refusal.issues ?? [];
    this.refusal = refusal;
  }
}

/** The members of the result union R that are not refusals. */
export type Payload<R extends { readonly __typename: string }> = Extract<R, { readonly __typename: `${string}Payload` }>;

/** Whether a mutation was done: its result is the payload, none of the refusals. */
export function isPayload<R extends { readonly __typename: string }>(result: R): result is Payload<R> {
  return result.__typename.endsWith('Payload');
}

/**
 * The payload of a result union.
 * @throws Refused when the result is a refusal.
 */
export function unwrap<R extends { readonly __typename: string }>(result: R): Payload<R> {
  if (isPayload(result)) return result;
  if (isRefusal(result)) throw new Refused(result);
  // A later gateway may answer with a member that this client's documents do not select.
  throw new RequestRefused('UNKNOWN_RESULT', `The gateway answered with ${result.__typename}, which this client does not know.`);
}

function isRefusal(result: { readonly __typename: string }): result is Refusal {
  return 'code' in result && 'message' in result;
}

/** What a GraphQL response carries at its top when something went wrong. */
export interface ResponseError {
  readonly message: string;
  readonly extensions?: { readonly code?: unknown; readonly retryAfterMs?: unknown };
}

/** Turns the top-level errors of a response into the one error that is thrown. */
export function refuseRequest(errors: readonly ResponseError[]): RequestRefused {
  const { code, retryAfterMs } = errors[0]?.extensions ?? {};
  const message = errors.map((error) => error.message).join('\n');
  return new RequestRefused(typeof code === 'string' ? code : 'BAD_REQUEST', message, {
    retryAfterMs: typeof retryAfterMs === 'number' ? retryAfterMs : null,
  });
}

/** How long the gateway asked to wait before the same request is sent again; null where it did not. */
export function retryAfterOf(error: unknown): number | null {
  return error instanceof RequestRefused || error instanceof GatewayUnreachable ? error.retryAfterMs : null;
}

/** What a Retry-After header says in seconds, which is how gateways write it (the other way, a date, is a wall clock's). */
export function readRetryAfter(header: string | null | undefined): number | null {
  return header != null && /^\d{1,6}$/.test(header) ? Number(header) * 1_000 : null;
}

/** What an error says. Of several addresses that were tried, each failure is in a list and the message is empty. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.message || ('code' in error ? String(error.code) : error.name);
}
