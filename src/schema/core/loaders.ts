/**
 * Batched reads of rows by key.
 *
 * A loader is declared once, at module level, next to the type that it serves. Its cache lives in
 * the context of one operation.
 *
 *     export const deviceById = defineLoader<string, DeviceRow>((context, ids) => …);
 *     deviceById.load(context, id)
 */
import DataLoader from 'dataloader';
import type { Context } from './context.ts';

/** The caches of the loaders of one operation. */
export class Loaders {
  readonly #started = new Map<object, unknown>();

  /** The cache of this loader, created on first use. */
  of<T>(kind: object, make: () => T): T {
    let loader = this.#started.get(kind) as T | undefined; // under a kind there is only what its own `make` made
    if (loader === undefined) {
      loader = make();
      this.#started.set(kind, loader);
    }
    return loader;
  }

  /** Forgets all rows, because after a write they may be outdated. */
  clear(): void {
    this.#started.clear();
  }
}

export interface Loader<K, V> {
  /** Keys requested in the same turn of the event loop are read together. */
  load(context: Context, key: K): Promise<V>;
  /**
   * Reads the keys of a whole page, before its rows ask for them. Then `get` has their values at
   * once, without a promise for each row. For a list of fifty jobs with their steps, promises are a
   * tenth of the processor time.
   */
  readAhead(context: Context, keys: readonly K[]): Promise<void>;
  /** As `load`, but at once what was read ahead. */
  get(context: Context, key: K): Promise<V> | V;
}

/**
 * `read` returns one value for each key, in the order of the keys: null or an empty list for what
 * the caller may not see.
 */
export function defineLoader<K, V>(read: (context: Context, keys: readonly K[]) => Promise<readonly V[]>): Loader<K, V> {
  const kind = {};
  const loaderOf = (context: Context) => context.loaders.of(kind, () => new DataLoader<K, V>((keys) => read(context, keys)));
  const ahead = {};
  const aheadOf = (context: Context) => context.loaders.of(ahead, () => new Map<K, V>());
  const load = (context: Context, key: K) => loaderOf(context).load(key);
  return {
    load,
    async readAhead(context, keys) {
      try {
        const values = await read(context, keys);
        const found = aheadOf(context);
        for (const [i, value] of values.entries()) found.set(keys[i] as K, value); // there is one value for each key
      } catch {
        // Each field that asks for it reports the error, at its own path.
      }
    },
    get: (context, key) => aheadOf(context).get(key) ?? load(context, key),
  };
}

/** Puts rows in the order of the requested ids, with null for missing rows. */
export function byId<R extends { readonly id: string }>(ids: readonly string[], rows: readonly R[]): (R | null)[] {
  if (ids.length === 1) return [rows[0] ?? null];
  const found = new Map(rows.map((row) => [row.id, row]));
  return ids.map((id) => found.get(id) ?? null);
}

/** Groups rows into one list for each requested key, keeping their order. */
export function grouped<R>(keys: readonly string[], rows: readonly R[], keyOf: (row: R) => string): R[][] {
  const lists = new Map<string, R[]>(keys.map((key) => [key, []]));
  for (const row of rows) lists.get(keyOf(row))?.push(row);
  return keys.map((key) => lists.get(key) ?? []);
}
