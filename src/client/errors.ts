import type { ErrorCode } from './error-code.ts';

/**
 * The gateway could not be reached or could not answer: no connection, a lost connection, a
 * timeout, an HTTP 5xx. Retry later. Whether the request took effect is unknown; an idempotency key
 * makes the retry safe.
 */
export class GatewayUnreachable extends Error {
  override readonly name = 'GatewayUnreachable';
  /** How long the gateway asked to wait. Null if it did not say. */
  readonly retryAfterMs: number | null;
  /** Names the request in the gateway's log. Null if the gateway did not answer. */
  readonly requestId: string | null;

  constructor(message: string, options: ErrorOptions & Details = {}) {
    super(message, options);
    this.retryAfterMs = options.retryAfterMs ?? null;
    this.requestId = options.requestId ?? null;
  }
}

interface Details {
  readonly retryAfterMs?: number | null;
  readonly requestId?: string | null;
}

/**
 * The gateway refused the whole request with a top-level error: the key (UNAUTHENTICATED,
 * FORBIDDEN), a malformed or too costly request (BAD_REQUEST, LIMIT_EXCEEDED), or a fault of its
 * own (INTERNAL_ERROR). The same request would be refused again, with two exceptions: UNAVAILABLE
 * (the gateway's disk is full, or its database is away), and a rate limit. Then `retryAfterMs` says
 * when to retry.
 */
export class RequestRefused extends Error {
  override readonly name = 'RequestRefused';
  /** `extensions.code` of the first error, or one derived from the HTTP status. */
  readonly code: string;
  /** When the same request may be accepted: it was valid and had no effect. Null if unknown. */
  readonly retryAfterMs: number | null;
  /** Names the request in the gateway's log. Null if the gateway did not say. */
  readonly requestId: string | null;

  constructor(code: string, message: string, options: ErrorOptions & Details = {}) {
    super(message, options);
    this.code = code;
    this.retryAfterMs = options.retryAfterMs ?? null;
    this.requestId = options.requestId ?? null;
  }
}

/** One refused input field. `path` is its path in the input: `["items", "2", "value"]`. */
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
  /** The invalid fields. Empty unless the code is INVALID_INPUT. */
  readonly issues: readonly InputIssue[];
  /** The refusal as received. */
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

/** Whether a mutation succeeded: its result is the payload and not a refusal. */
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
  // A newer gateway may answer with a member that this client does not select.
  throw new RequestRefused('UNKNOWN_RESULT', `The gateway answered with ${result.__typename}, which this client does not know.`);
}

function isRefusal(result: { readonly __typename: string }): result is Refusal {
  return 'code' in result && 'message' in result;
}

/** A top-level error of a GraphQL response. */
export interface ResponseError {
  readonly message: string;
  readonly extensions?: { readonly code?: unknown; readonly retryAfterMs?: unknown; readonly requestId?: unknown };
}

/** Turns a response's top-level errors into the one error to throw. */
export function refuseRequest(errors: readonly ResponseError[], requestId: string | null = null): RequestRefused {
  const { code, retryAfterMs, requestId: said } = errors[0]?.extensions ?? {};
  const message = errors.map((error) => error.message).join('\n');
  return new RequestRefused(typeof code === 'string' ? code : 'BAD_REQUEST', message, {
    retryAfterMs: typeof retryAfterMs === 'number' ? retryAfterMs : null,
    requestId: typeof said === 'string' ? said : requestId,
  });
}

/** How long the gateway asked to wait before a retry. Null if it did not. */
export function retryAfterOf(error: unknown): number | null {
  return error instanceof RequestRefused || error instanceof GatewayUnreachable ? error.retryAfterMs : null;
}

/**
 * Reads a Retry-After header in seconds, as gateways write it. (The other form, a date, depends on
 * the wall clock.)
 */
export function readRetryAfter(header: string | null | undefined): number | null {
  return header != null && /^\d{1,6}$/.test(header) ? Number(header) * 1_000 : null;
}

/**
 * An error's message. If several addresses failed, the message is empty and each failure is in a
 * list.
 */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.message || ('code' in error ? String(error.code) : error.name);
}
