/**
 * ## One wrapper for all of them
 *
 * Each client here connects again by itself when a connection is lost, and then asks what it asked at first: from the old cursor. Nothing
 * is lost by that, but what was seen is seen again. This wrapper keeps the cursor of the last frame in the variables that the client
 * sends, so that each new connection goes on behind it. It takes clients of graphql-ws and of graphql-sse alike, which read the variables
 * anew for each connection; Apollo, urql and Relay stand on one of the two.
 *
 * What it asks of a subscription: declare `$after: Cursor`, pass it as `after`, and select `cursor`. Those without a cursor (`jobUpdated`,
 * `jobsUpdated`, `claimableSteps`) begin with the present each time and need nothing.
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

/** What clients of graphql-ws and of graphql-sse have in common. `subscribe` returns what ends it. */
export interface Subscriber {
  subscribe(request: Request, sink: Sink): () => void;
}

/** The same client, whose connections after the first go on behind the last frame that the sink was given. */
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

/** How long to wait before attempt so and so, from 0: a tenth of a second at first, ten at last, and not all clients at once. */
export function patience(attempt: number): Promise<void> {
  const milliseconds = Math.min(100 * 2 ** attempt, 10_000) * (0.5 + Math.random());
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
