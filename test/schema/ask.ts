/** Asks the schema as a gateway does, without the gateway: a fresh context for each question. */
import { graphql } from 'graphql';
import type { Principal } from '../../src/domain/access/principal.ts';
import type { Domain } from '../../src/domain/core/domain.ts';
import { Wakeups } from '../../src/realtime/wakeups.ts';
import { createContext } from '../../src/schema/core/context.ts';
import { schema } from '../../src/schema/index.ts';

/** The shape of an answer is what the test asked for: it says so where it asks. */
export type Ask = <T>(source: string, variables?: Record<string, unknown>) => Promise<T>;

/** Answers the data; throws the first error, with its code in front. */
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
