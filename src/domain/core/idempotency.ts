/**
 * Idempotency keys: a mutation with the same key and input runs once. Repeating it returns the
 * first result (P6).
 */
import { readIdempotencyKey, recordIdempotentResult, takeIdempotencyKey } from '../../store/changes/idempotency.ts';
import type { Change } from './change.ts';
import { IdempotencyConflict, wrongInput } from './refusals.ts';

const LONGEST_KEY = 200;

export interface Once<T> {
  readonly operation: string;
  /** The project that the keys belong to. */
  readonly scope: string;
  /** The input of the mutation, with its `idempotencyKey`. Null: no key. */
  readonly input: object & { readonly idempotencyKey?: string | null | undefined };
  /** Runs the mutation. Returns the value, and the ids to find it again. */
  run(): Promise<{ value: T; ids: string[] }>;
  /** Finds the earlier result by its ids. */
  replay(ids: readonly string[]): Promise<T>;
}

export async function once<T>({ tx, now }: Change, { operation, scope, input, run, replay }: Once<T>): Promise<T> {
  const { idempotencyKey: key, ...asked } = input;
  if (key === null || key === undefined) return (await run()).value;
  if (key === '' || key.length > LONGEST_KEY || key.includes('\u0000')) {
    throw wrongInput.idempotencyKey(LONGEST_KEY);
  }
  const name = { scope, operation, key };
  const plain = plainOf(asked) as Record<string, unknown>; // an object stays an object
  if ((await tx.run(takeIdempotencyKey, { ...name, input: plain, now })).length === 0) {
    const [known] = await tx.run(readIdempotencyKey, name);
    const differing = known ? differingPaths(known.input, plain) : [];
    if (differing.length > 0) throw new IdempotencyConflict(key, differing);
    return replay(known?.result ?? []);
  }
  const { value, ids } = await run();
  await tx.run(recordIdempotentResult, { ...name, result: ids });
  return value;
}

/** Deeper than any input that passes its checks. This check runs before those. */
const DEEPEST = 64;

/** The input as it comes back from JSON. Null and undefined are the same. */
function plainOf(value: unknown, path: readonly string[] = []): unknown {
  if (value instanceof Date) return value.toISOString();
  if (value === null || typeof value !== 'object') return value;
  if (path.length > DEEPEST) throw wrongInput.nestedTooDeep(path.slice(0, 1), DEEPEST);
  if (Array.isArray(value)) return value.map((entry, i) => plainOf(entry, [...path, String(i)]));
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, entry]) => entry !== null && entry !== undefined)
      .map(([key, entry]) => [key, plainOf(entry, [...path, key])]),
  );
}

/** The dot paths at which two inputs differ. The order of keys does not matter. */
export function differingPaths(a: unknown, b: unknown, path = ''): string[] {
  if (Object.is(a, b)) return [];
  if (a === null || b === null || typeof a !== 'object' || typeof b !== 'object' || Array.isArray(a) !== Array.isArray(b))
    return [path || '(input)'];
  const left = new Map(Object.entries(a));
  const right = new Map(Object.entries(b));
  return [...new Set([...left.keys(), ...right.keys()])].flatMap((key) =>
    differingPaths(left.get(key), right.get(key), path === '' ? key : `${path}.${key}`),
  );
}
