import { randomUUID } from 'node:crypto';
import { type ASTNode, GraphQLError, type GraphQLErrorExtensions, type GraphQLFormattedError } from 'graphql';
import { badRequest, fault, RequestRefused } from '../domain/core/request-refusals.ts';
import { isNulRefused, unavailabilityOf } from '../store/unavailable.ts';
import type { Call } from './watch/call.ts';
import type { ServerInstruments } from './watch/instruments.ts';
import { describeFault, type Log, logRecurring } from './watch/log.ts';

/** A refusal: its message, and its code and figures. */
export interface Refused {
  readonly message: string;
  readonly extensions: Readonly<GraphQLErrorExtensions>;
}

/** Makes an error of graphql-js. `node`: the part of the document that it is about. */
export function toGraphQLError({ message, extensions }: Refused, node?: ASTNode): GraphQLError {
  return new GraphQLError(message, { extensions, nodes: node ?? null });
}

/** Thrown with the errors of an operation that is not executed. Yoga reads the field `errors`. */
export class OperationRefused extends Error {
  readonly errors: readonly GraphQLError[];

  constructor(errors: readonly GraphQLError[]) {
    super(errors[0]?.message ?? '');
    this.errors = errors;
  }
}

/** Turns a thrown error into one that a client may see. */
export type Mask = (error: unknown, call?: Call) => GraphQLFormattedError;

export interface MaskParts {
  readonly log: Pick<Log, 'error'>;
  readonly instruments: Pick<ServerInstruments, 'faults' | 'limits'>;
}

/**
 * Creates the function that masks errors:
 *
 * - An error with `extensions.code` is meant for the client and passes unchanged.
 * - An error of the request (syntax, validation, variables) becomes BAD_REQUEST, without the "Did
 *   you mean" of graphql-js, which would reveal the schema name by name.
 * - An id with the character NUL, which PostgreSQL does not take, becomes BAD_REQUEST.
 * - A full disk or an unreachable database becomes UNAVAILABLE: the same request may succeed later.
 * - Everything else is a bug. The client gets INTERNAL_ERROR with an id, and the log gets the
 *   message and the stack under the same id.
 */
export function createMask({ log, instruments }: MaskParts): Mask {
  const faults = new WeakMap<object, GraphQLFormattedError>();
  const sayUnavailable = logRecurring(log, 'The store is not available: requests are answered with UNAVAILABLE.');
  return (thrown, call) => {
    const error = thrown instanceof RequestRefused ? toGraphQLError(thrown) : thrown;
    if (error instanceof GraphQLError) {
      if (typeof error.extensions?.code === 'string') {
        noteLimit(instruments, error.extensions);
        return format(error, error.message, error.extensions);
      }
      if (isRequestError(error)) return format(error, sayRequestError(error.message), { code: 'BAD_REQUEST' });
    }
    const known = error instanceof Error ? faults.get(error) : undefined;
    const requestId = call ? { requestId: call.id } : {};
    // A shared frame fails once. Each subscriber gets the id of its own request.
    if (known) return { ...known, extensions: { ...known.extensions, ...requestId } };
    const cause = rootCause(error);
    if (isNulRefused(cause)) {
      const { message, extensions } = badRequest.nulInId();
      return format(error instanceof GraphQLError ? error : undefined, message, extensions);
    }
    const unavailable = unavailabilityOf(cause);
    if (unavailable) {
      sayUnavailable(unavailable.cause);
      const said = format(error instanceof GraphQLError ? error : undefined, unavailable.message, { code: 'UNAVAILABLE' });
      if (error instanceof Error) faults.set(error, said);
      return said;
    }
    const id = randomUUID();
    const path = error instanceof GraphQLError && error.path ? { path: error.path.join('.') } : {};
    log.error('Something went wrong on our side.', {
      code: 'INTERNAL_ERROR',
      id,
      ...requestId,
      ...path,
      ...describeFault(cause),
    });
    instruments.faults.add();
    const { message, extensions } = fault(id);
    const masked = format(error instanceof GraphQLError ? error : undefined, message, extensions);
    if (error instanceof Error) faults.set(error, masked);
    return { ...masked, extensions: { ...masked.extensions, ...requestId } };
  };
}

/** Counts the refusal if it is one for a limit. */
export function noteLimit(instruments: Pick<ServerInstruments, 'limits'>, { code, limit }: { readonly [name: string]: unknown }): void {
  if (code === 'LIMIT_EXCEEDED') instruments.limits.of({ limit: typeof limit === 'string' ? limit : 'other' }).add();
}

/**
 * Whether the request is wrong, rather than its execution. An error with a path comes from the
 * execution, with one exception: only the execution finds a null variable in a non-null argument.
 */
function isRequestError(error: GraphQLError): boolean {
  return error.path === undefined || (rootCause(error) instanceof GraphQLError && error.message.startsWith('Argument "'));
}

/** Removes hints, and adds the full stop that graphql-jit omits. */
function sayRequestError(message: string): string {
  return message.replace(/ ?Did you mean [\s\S]*$/, '').replace(/([^.?])$/, '$1.');
}

function rootCause(error: unknown): unknown {
  let cause = error;
  while (cause instanceof GraphQLError && cause.originalError) cause = cause.originalError;
  return cause;
}

/**
 * Errors of graphql-jit have locations but no nodes. Copying the properties makes both kinds look
 * the same.
 */
function format(error: GraphQLError | undefined, message: string, extensions: { [name: string]: unknown }): GraphQLFormattedError {
  return {
    message,
    ...(error?.locations ? { locations: error.locations } : {}),
    ...(error?.path ? { path: error.path } : {}),
    extensions,
  };
}
