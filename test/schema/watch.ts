/** Runs a subscription as a gateway does, without a server: with a new context for each frame. */
import { createSourceEventStream, execute, type GraphQLError, parse } from 'graphql';
import type { Principal } from '../../src/domain/access/principal.ts';
import type { Domain } from '../../src/domain/core/domain.ts';
import { Wakeups } from '../../src/realtime/wakeups.ts';
import { createContext } from '../../src/schema/core/context.ts';
import { schema } from '../../src/schema/index.ts';

export interface Watch<T> {
  /** The data of the next frame; null at the end. */
  next(): Promise<T | null>;
  end(): Promise<void>;
}

/** The test declares the type of a frame where it subscribes. */
export type WatchAs = <T>(source: string, variables?: Record<string, unknown>) => Promise<Watch<T>>;

/** Throws the first error of the subscription or of a frame, prefixed with its code. */
export function watchAs(domain: Domain, principal: Principal | null): WatchAs {
  const parts = { domain, wakeups: new Wakeups(domain.store) };
  return async <T>(source: string, variableValues: Record<string, unknown> = {}) => {
    const document = parse(source);
    const stream = await createSourceEventStream({ schema, document, variableValues, contextValue: createContext(parts, principal) });
    if (!(Symbol.asyncIterator in stream)) throw first(stream.errors);
    const events = stream[Symbol.asyncIterator]();
    return {
      async next() {
        const event = await events.next();
        if (event.done) return null;
        const { data, errors } = await execute({
          schema,
          document,
          variableValues,
          rootValue: event.value,
          contextValue: createContext(parts, principal),
        });
        if (errors) throw first(errors);
        return data as T; // see WatchAs
      },
      async end() {
        await events.return?.();
      },
    };
  };
}

function first([error]: readonly GraphQLError[] = []): Error {
  return new Error(`${error?.extensions.code ?? 'fault'}: ${error?.message}`);
}
