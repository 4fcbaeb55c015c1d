/** Reads of what does not change by itself, such as older pages of a list. */
import { type ReadonlySignal, useComputed, useSignal } from '@preact/signals';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import type { TypedDocument } from '../../client/document.ts';
import { gateway } from './gateway.ts';

export interface Query<Data> {
  /** Undefined until the first answer. It stays while the same query is asked again. */
  readonly data: ReadonlySignal<Data | undefined>;
  readonly error: ReadonlySignal<Error | undefined>;
  refresh(): void;
}

/** Null variables: nothing is asked yet. */
export function useQuery<Data, Variables>(document: TypedDocument<Data, Variables>, variables: Variables | null): Query<Data> {
  const key = JSON.stringify(variables);
  const answer = useSignal<{ readonly key: string; readonly data: Data } | undefined>(undefined);
  const failure = useSignal<{ readonly key: string; readonly error: Error } | undefined>(undefined);
  const round = useSignal(0);
  const turn = round.value;
  useEffect(() => {
    if (variables === null) return;
    const stop = new AbortController();
    gateway.request(document, variables, { signal: stop.signal }).then(
      (data) => {
        answer.value = { key, data };
        failure.value = undefined;
      },
      (error: Error) => {
        if (!stop.signal.aborted) failure.value = { key, error };
      },
    );
    return () => stop.abort();
  }, [document, key, turn]);
  const asked = useSignal(key);
  asked.value = key;
  const data = useComputed(() => (answer.value?.key === asked.value ? answer.value.data : undefined));
  const error = useComputed(() => (failure.value?.key === asked.value ? failure.value.error : undefined));
  return useMemo(
    () => ({
      data,
      error,
      refresh: () => {
        round.value += 1;
      },
    }),
    [data, error, round],
  );
}

/**
 * Reads again when `version` changes, which a subscription says, and at most once in a pause.
 * @param pauseMs default: a second
 */
export function useRefresh({ refresh }: Pick<Query<unknown>, 'refresh'>, version: unknown, pauseMs = 1_000): void {
  const last = useRef<{ version: unknown; at: number; timer: ReturnType<typeof setTimeout> | undefined }>({
    version,
    at: 0,
    timer: undefined,
  });
  useEffect(() => {
    const { current } = last;
    if (current.version === version) return;
    // What came first is what the query has read.
    const isFirst = current.version === undefined;
    current.version = version;
    if (isFirst || current.timer !== undefined) return;
    const read = () => {
      current.timer = undefined;
      current.at = performance.now();
      refresh();
    };
    current.timer = setTimeout(read, Math.max(0, current.at + pauseMs - performance.now()));
  }, [version, refresh, pauseMs]);
  useEffect(() => () => clearTimeout(last.current.timer), []);
}
