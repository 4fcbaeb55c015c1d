/** What a tracer is told of. Without an exporter there is none, and nothing is done. */
import type { TraceParent } from './call.ts';

export interface OperationAbout {
  readonly type: string;
  /** The client's own name for it, if it gave one. */
  readonly name: string | null;
  /** Its root field. */
  readonly field: string;
}

/** An operation's span, for the frames of its subscription to point to. */
export type SpanLink = object;

export interface Traces {
  /** Runs the work as the span of an HTTP request, a part of `parent` if there is one. `status` is asked when it is done. */
  request(
    about: { readonly method: string; readonly route: string; readonly id: string; readonly parent: TraceParent | null },
    work: () => Promise<void>,
    status: () => number,
  ): Promise<void>;
  /** Runs the work as the span of an operation. */
  operation<T>(about: OperationAbout, work: (self: SpanLink) => Promise<T>, codeOf: (result: T) => string): Promise<T>;
  /** Runs the work as the span of one frame, a trace of its own that points to its subscription's: a stream of hours is no span. */
  frame<T>(about: OperationAbout, subscription: SpanLink, work: () => Promise<T>): Promise<T>;
}
