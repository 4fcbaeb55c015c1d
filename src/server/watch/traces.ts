/** The tracer. There is none if no exporter is configured. */
import type { TraceParent } from './call.ts';

export interface OperationAbout {
  readonly type: string;
  /** The name that the client gave it, if any. */
  readonly name: string | null;
  /** Its root field. */
  readonly field: string;
}

/** The span of a subscription, for its frames to link to. */
export type SpanLink = object;

export interface Traces {
  /** Runs the work in the span of an HTTP request. `status` is called at the end. */
  request(
    about: { readonly method: string; readonly route: string; readonly id: string; readonly parent: TraceParent | null },
    work: () => Promise<void>,
    status: () => number,
  ): Promise<void>;
  /** Runs the work in the span of an operation. */
  operation<T>(about: OperationAbout, work: (self: SpanLink) => Promise<T>, codeOf: (result: T) => string): Promise<T>;
  /**
   * Runs the work in the span of one frame. It has its own trace, with a link to the subscription:
   * a subscription of hours cannot be one span.
   */
  frame<T>(about: OperationAbout, subscription: SpanLink, work: () => Promise<T>): Promise<T>;
}
