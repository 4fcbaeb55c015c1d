/** Runs an operation as a gateway does, without a server: with a new context for each. */
import { graphql } from 'graphql';
import type { Principal } from '../../src/domain/access/principal.ts';
import type { Domain } from '../../src/domain/core/domain.ts';
import { Wakeups } from '../../src/realtime/wakeups.ts';
import { createContext } from '../../src/schema/core/context.ts';
import { schema } from '../../src/schema/index.ts';

/** The test declares the type of the answer where it asks. */
export type Ask = <T>(source: string, variables?: Record<string, unknown>) => Promise<T>;

/** Returns the data. Throws the first error, prefixed with its code. */
export function askAs(domain: Domain, principal: Principal | null): Ask {
  const wakeups = new Wakeups(domain.store);
  return async <T>(source: string, variables: Record<string, unknown> = {}) => {
    const contextValue = createContext({ domain, wakeups }, principal);
    const { data, errors } = await graphql({ schema, source, contextValue, variableValues: variables });
    const [error] = errors ?? [];
    if (error) throw new Error(`${error.extensions.code ?? 'fault'}: ${error.message}`);
    return data as T; // see Ask
  };
}
