/**
 * ## One wrapper for all of them
 *
 * Each of these clients reconnects when a connection is lost, and then repeats its first request,
 * from the old cursor. Nothing is lost, but frames are repeated. This wrapper keeps the cursor of
 * the last frame in the variables, so that each new connection continues after it. It works with
 * clients of graphql-ws and graphql-sse, which read the variables again for each connection.
 * Apollo, urql and Relay are built on one of the two.
 *
 * A subscription must declare `$after: Cursor`, pass it as `after`, and select `cursor`.
 * Subscriptions without a cursor (`jobUpdated`, `jobsUpdated`, `claimableSteps`) start with the
 * current state each time and need no wrapper.
 */

interface Request {
  readonly query: string;
  readonly variables?: Record<string, unknown> | null | undefined;
  readonly operationName?: string | null | undefined;
  readonly extensions?: Record<string, unknown> | null | undefined;
}

interface Result {
  readonly data?: Record<string, unknown> | null;
  readonly errors?: readonly { readonly message: string }[];
}

interface Sink {
  next(result: Result): void;
  error(error: unknown): void;
  complete(): void;
}

/**
 * The interface that clients of graphql-ws and graphql-sse share. `subscribe` returns a function
 * that ends the subscription.
 */
export interface Subscriber {
  subscribe(request: Request, sink: Sink): () => void;
}

/**
 * The same client, but each new connection continues after the last frame that the sink received.
 */
export function resuming(client: Subscriber): Subscriber {
  return {
    subscribe({ query, variables, operationName, extensions }, sink) {
      const current: Record<string, unknown> = { ...variables };
      const request = { query, variables: current, ...(operationName ? { operationName } : {}), ...(extensions ? { extensions } : {}) };
      return client.subscribe(request, {
        next(result) {
          for (const frame of Object.values(result.data ?? {})) current.after = cursorOf(frame) ?? current.after;
          sink.next(result);
        },
        error: (error) => sink.error(error),
        complete: () => sink.complete(),
      });
    },
  };
}

function cursorOf(frame: unknown): string | undefined {
  return frame instanceof Object && 'cursor' in frame && typeof frame.cursor === 'string' ? frame.cursor : undefined;
}

/**
 * The delay before an attempt, numbered from 0: from a tenth of a second to ten seconds, with
 * jitter so that clients do not all return at once.
 */
export function patience(attempt: number): Promise<void> {
  const milliseconds = Math.min(100 * 2 ** attempt, 10_000) * (0.5 + Math.random());
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
