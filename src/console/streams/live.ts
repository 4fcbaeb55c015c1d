/** What a subscription delivers, as signals. */
import { batch, type ReadonlySignal, signal, useComputed, useSignal } from '@preact/signals';
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
  // biome-ignore lint/correctness/useExhaustiveDependencies: the key stands for the variables
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

/**
 * Rows by id, each a signal of its own, so that a change draws one row. The order is a signal too.
 */
export class Rows<Row extends { readonly id: string }> {
  readonly ids = signal<readonly string[]>([]);
  readonly #rows = new Map<string, ReturnType<typeof signal<Row>>>();

  get(id: string): Row | undefined {
    return this.#rows.get(id)?.value;
  }

  has(id: string): boolean {
    return this.#rows.has(id);
  }

  /** Changes rows that are there; the others are left to the caller. */
  put(rows: readonly Row[]): void {
    batch(() => {
      for (const row of rows) {
        const known = this.#rows.get(row.id);
        if (known) known.value = row;
        else this.#rows.set(row.id, signal(row));
      }
    });
  }

  remove(ids: readonly string[]): void {
    if (!ids.some((id) => this.#rows.has(id))) return;
    const gone = new Set(ids);
    for (const id of ids) this.#rows.delete(id);
    this.ids.value = this.ids.value.filter((id) => !gone.has(id));
  }

  clear(): void {
    this.#rows.clear();
    this.ids.value = [];
  }
}
