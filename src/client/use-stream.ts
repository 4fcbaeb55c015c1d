import type { Client } from './client.ts';
import type { Document } from './document.ts';
import type { Delivery, StreamStatus } from './subscription.ts';

/** What a component sees of its stream. */
export interface Stream<Value> {
  readonly value: Value;
  /** `ended`: nothing more comes. `failed`: see `error`. */
  readonly state: StreamStatus | 'ended' | 'failed';
  /** Why it failed: RequestRefused if the gateway refused it. */
  readonly error: unknown;
}

/** How a value is made of deliveries. */
export interface Reducer<Frame, Value> {
  readonly initial: Value;
  /** Makes the next value. It must not change the last one. */
  readonly reduce: (value: Value, frame: Frame) => Value;
}

type Variables = Readonly<Record<string, unknown>>;

/**
 * Subscribes while the component is mounted. `variables` may be null: not yet. When the client, the
 * document or the variables (by their JSON) change, it begins anew, and what the component saw of
 * the other stream is gone at once.
 */
export interface UseStream {
  /** The value is the list of the deliveries, the newest last, and of the newest 1,000 alone. */
  <Data, Given extends Variables>(
    client: Client,
    document: Document<Data, Given>,
    variables: Given | null,
  ): Stream<readonly Delivery<Data>[]>;
  /** The value is what `reduce` makes of the deliveries. */
  <Data, Given extends Variables, Value>(
    client: Client,
    document: Document<Data, Given>,
    variables: Given | null,
    reducer: Reducer<Delivery<Data>, Value>,
  ): Stream<Value>;
}

/** The hooks that it needs, which Preact and React have alike. */
interface Hooks {
  useEffect(effect: () => () => void, inputs: readonly unknown[]): void;
  useRef<Value>(initial: Value): { current: Value };
  useState<Value>(initial: Value): readonly [Value, (value: Value) => void];
}

interface Shown extends Stream<unknown> {
  readonly client: Client;
  /** Tells streams of a client apart. */
  readonly key: string;
}

const mostCollected = 1_000;
const collecting: Reducer<unknown, readonly unknown[]> = {
  initial: [],
  reduce: (frames, frame) => [...frames.slice(1 - mostCollected), frame],
};

/** Makes the hook of a library. */
export function createUseStream({ useEffect, useRef, useState }: Hooks): UseStream {
  function useStream(
    client: Client,
    document: Document<Record<string, unknown>, Variables>,
    variables: Variables | null,
    // It gets only what it has made.
    reducer = collecting as Reducer<unknown, unknown>,
  ): Stream<unknown> {
    const key = JSON.stringify([document.toString(), variables]);
    const empty: Shown = { client, key, value: reducer.initial, state: 'connecting', error: null };
    const [shown, show] = useState(empty);
    const reduce = useRef(reducer.reduce);
    reduce.current = reducer.reduce;
    useEffect(() => {
      const stop = new AbortController();
      let last = empty;
      const change = (part: Partial<Stream<unknown>>) => {
        last = { ...last, ...part };
        if (!stop.signal.aborted) show(last);
      };
      const follow = async () => {
        if (variables === null) return;
        const stream = client.subscribe(document, variables, { signal: stop.signal, onState: (state) => change({ state }) });
        for await (const frame of stream) change({ value: reduce.current(last.value, frame) });
        change({ state: 'ended' });
      };
      follow().catch((error: unknown) => change({ state: 'failed', error }));
      return () => stop.abort();
    }, [client, key]);
    return shown.client === client && shown.key === key ? shown : empty;
  }

  // The reducer makes the type of the value, which is only passed on here.
  return useStream as UseStream;
}
