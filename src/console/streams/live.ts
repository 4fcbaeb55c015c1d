/** What a subscription delivers, as signals. */
import { type ReadonlySignal, useComputed, useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { TypedDocument } from '../../client/document.ts';
import type { Delivery } from '../../client/subscription.ts';
import { gateway } from './gateway.ts';

export interface Live<Value> {
  /** Undefined until the first delivery of these variables. */
  readonly value: ReadonlySignal<Value | undefined>;
  readonly error: ReadonlySignal<Error | undefined>;
}

/**
 * Subscribes while the component is shown. Null variables: not yet.
 * @param reduce makes the next value from the value so far (undefined at first) and a delivery
 */
export function useLive<Data, Variables extends Record<string, unknown>, Value>(
  document: TypedDocument<Data, Variables>,
  variables: Variables | null,
  reduce: (value: Value | undefined, delivery: Delivery<Data>) => Value,
): Live<Value> {
  const key = JSON.stringify(variables);
  const got = useSignal<{ readonly key: string; readonly value: Value } | undefined>(undefined);
  const failed = useSignal<{ readonly key: string; readonly error: Error } | undefined>(undefined);
  const asked = useSignal(key);
  asked.value = key;
  useEffect(() => {
    if (variables === null) return;
    const stop = new AbortController();
    const read = async () => {
      for await (const delivery of gateway.subscribe(document, variables, { signal: stop.signal })) {
        const before = got.peek();
        got.value = { key, value: reduce(before?.key === key ? before.value : undefined, delivery) };
      }
    };
    read().catch((error: Error) => {
      if (!stop.signal.aborted) failed.value = { key, error };
    });
    return () => stop.abort();
  }, [document, key]);
  const value = useComputed(() => (got.value?.key === asked.value ? got.value.value : undefined));
  const error = useComputed(() => (failed.value?.key === asked.value ? failed.value.error : undefined));
  return { value, error };
}

/** Subscribes to something of which only the newest delivery counts. */
export const useNewest = <Data, Variables extends Record<string, unknown>>(
  document: TypedDocument<Data, Variables>,
  variables: Variables | null,
): Live<Delivery<Data>> => useLive<Data, Variables, Delivery<Data>>(document, variables, (_, delivery) => delivery);
