import { randomUUID } from 'node:crypto';
import { type ASTNode, GraphQLError, type GraphQLErrorExtensions, type GraphQLFormattedError } from 'graphql';
import { fault, RequestRefused } from '../domain/core/request-refusals.ts';
import { unavailabilityOf } from '../store/unavailable.ts';
import type { Call } from './watch/call.ts';
import type { ServerInstruments } from './watch/instruments.ts';
import { describeFault, type Log, logRecurring } from './watch/log.ts';

/** A refusal: its message, and its code and figures. */
export interface Refused {
  readonly message: string;
  readonly extensions: Readonly<GraphQLErrorExtensions>;
}

/** A refusal as graphql-js has errors. `node`: the part of the document that it is about. */
export function toGraphQLError({ message, extensions }: Refused, node?: ASTNode): GraphQLError {
  return new GraphQLError(message, { extensions, nodes: node ?? null });
}

/** An operation is not executed: these are the errors to answer with. Yoga reads `errors` of an error of several. */
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
 * Errors with `extensions.code` are meant for the client and pass. Errors of the request itself (syntax, validation, variables) are
 * BAD_REQUEST, without graphql-js's "Did you mean", which would give the schema away name by name. A full disk or a database that is away
 * is UNAVAILABLE: the same request may be answered later. Everything else is a fault of ours:
 * the client gets INTERNAL_ERROR with an id, and the log gets the same id with the message and the stack.
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
    // A shared frame fails once, and each subscriber gets the id of its own request.
    if (known) return { ...known, extensions: { ...known.extensions, ...requestId } };
    const cause = rootCause(error);
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

/** Counts a refusal for going beyond a limit, if it is one. */
export function noteLimit(instruments: Pick<ServerInstruments, 'limits'>, { code, limit }: { readonly [name: string]: unknown }): void {
  if (code === 'LIMIT_EXCEEDED') instruments.limits.of({ limit: typeof limit === 'string' ? limit : 'other' }).add();
}

/**
 * Whether the error is in the request and not in its execution. An error with a path comes from
 * execution, with one exception: a null variable in a non-null argument is found only there.
 */
function isRequestError(error: GraphQLError): boolean {
  return error.path === undefined || (rootCause(error) instanceof GraphQLError && error.message.startsWith('Argument "'));
}

/** Without hints, and with the full stop that graphql-jit leaves out. */
function sayRequestError(message: string): string {
  return message.replace(/ ?Did you mean [\s\S]*$/, '').replace(/([^.?])$/, '$1.');
}

function rootCause(error: unknown): unknown {
  let cause = error;
  while (cause instanceof GraphQLError && cause.originalError) cause = cause.originalError;
  return cause;
}

/** graphql-jit's errors have no nodes, only locations: copying the properties is what makes both look the same. */
function format(error: GraphQLError | undefined, message: string, extensions: { [name: string]: unknown }): GraphQLFormattedError {
  return {
    message,
    ...(error?.locations ? { locations: error.locations } : {}),
    ...(error?.path ? { path: error.path } : {}),
    extensions,
  };
}
