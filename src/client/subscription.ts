import { type Backoff, defaultBackoff } from '../timing/backoff.ts';
import { GatewayUnreachable, type RequestRefused } from './errors.ts';
import { faultsBeforeGivingUp, type Link, type Place } from './link.ts';
import { Retries } from './retries.ts';
import type { Ending } from './transport.ts';

/**
 * The state of one stream.
 *
 * - connecting: not served yet, for the first time.
 * - live: the gateway accepted the key and serves this stream.
 * - reconnecting: the connection is lost. What was delivered stays true; the rest comes later.
 */
export type StreamStatus = 'connecting' | 'live' | 'reconnecting';

export interface SubscribeOptions {
  /** Ends the stream: the iteration is done, without an error. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Receives each change; `reconnecting` comes with the reason of the loss. `connecting` comes a
   * second time, with the reason, if the first try failed.
   */
  readonly onState?: ((state: StreamStatus, reason?: string) => void) | undefined;
  /**
   * The stream fails with GatewayUnreachable after this long without a live connection. Default: it
   * never gives up.
   */
  readonly giveUpAfterSeconds?: number | undefined;
}

/** One delivery of a subscription: the value of the document's one root field. */
export type Delivery<Data> = Data[keyof Data];

/** Deliveries that wait for the consumer before no more are read. */
const highWater = 64;

interface Waiter<Value> {
  resolve(result: IteratorResult<Value>): void;
  reject(error: unknown): void;
}

export interface SubscriptionParts {
  /** The gateway's URL, for messages. */
  readonly url: string;
  readonly link: Link;
  readonly query: string;
  readonly variables: Readonly<Record<string, unknown>>;
  readonly backoff?: Backoff | undefined;
}

/**
 * The iterator of one subscription, written by hand, because an async generator cannot be ended
 * while it waits. It keeps the cursor, so that its operation is sent again from where it was.
 *
 *     connecting ──first frame──▶ live ──lost──▶ reconnecting ──first frame──▶ live
 *          └──────────── ENDED, refused, aborted, returned ────────────▶ over
 */
export class Subscription<Value> implements AsyncIterableIterator<Value> {
  readonly #parts: SubscriptionParts;
  readonly #options: SubscribeOptions;
  /**
   * Whether it is a stream of frames. The first frame, which comes at once, then proves that it is
   * live.
   */
  readonly #isResumable: boolean;
  readonly #retries: Retries;
  #variables: Readonly<Record<string, unknown>>;

  readonly #queue: Value[] = [];
  #waiter: Waiter<Value> | undefined;
  #place: Place | undefined;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #lastTryTimer: ReturnType<typeof setTimeout> | undefined;
  #state: StreamStatus | undefined;
  #hasFailed = false;
  #lastLiveAt = performance.now();
  #faults = 0;
  #isOver = false;
  #error: unknown;

  constructor(parts: SubscriptionParts, options: SubscribeOptions) {
    this.#parts = parts;
    this.#variables = parts.variables;
    this.#options = options;
    this.#isResumable = /\$after\b/.test(parts.query);
    this.#retries = new Retries(parts.backoff ?? defaultBackoff);
    if (options.signal?.aborted) this.#isOver = true;
    else {
      options.signal?.addEventListener('abort', this.#stop, { once: true });
      this.#enter('connecting');
      this.#join();
    }
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<Value>> {
    const value = this.#queue.shift();
    if (value !== undefined) {
      if (this.#queue.length < highWater / 2) this.#place?.resume();
      return Promise.resolve({ done: false, value });
    }
    if (this.#error !== undefined) {
      const error = this.#error;
      this.#error = undefined;
      return Promise.reject(error);
    }
    if (this.#isOver) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve, reject) => {
      this.#waiter = { resolve, reject };
    });
  }

  return(): Promise<IteratorResult<Value>> {
    this.#stop();
    return Promise.resolve({ done: true, value: undefined });
  }

  #join(): void {
    this.#retryTimer = undefined;
    this.#place = this.#parts.link.join(() => ({ query: this.#parts.query, variables: this.#variables }), {
      onAccepted: () => {
        if (!this.#isResumable) this.#enterLive();
      },
      onData: (data) => this.#take(data),
      onLost: (reason) => this.#lose(reason),
      onEnd: (ending) => this.#end(ending),
    });
  }

  #take(data: Readonly<Record<string, unknown>>): void {
    if (this.#isOver) return;
    this.#enterLive();
    this.#faults = 0;
    for (const value of Object.values(data)) {
      const frame = this.#isResumable ? readFrame(value) : undefined;
      if (frame) this.#variables = { ...this.#variables, after: frame.cursor };
      else if (this.#isResumable) {
        this.#finish(new TypeError('A subscription with $after has to select cursor and state.'));
        return;
      }
      // The document's type describes its root field. It was generated from the schema by which the
      // gateway answers.
      this.#deliver(value as Value);
      if (frame?.state === 'ENDED') this.#finish();
    }
    // A stream without cursors starts again with what is true then: nothing is missed.
    if (this.#queue.length >= highWater) this.#place?.pause();
  }

  #deliver(value: Value): void {
    const waiter = this.#waiter;
    this.#waiter = undefined;
    if (waiter === undefined) this.#queue.push(value);
    else waiter.resolve({ done: false, value });
  }

  #end(ending: Ending | { readonly kind: 'closed' }): void {
    this.#place = undefined;
    if (this.#isOver) return;
    if (ending.kind === 'refused') {
      if (this.#isFinal(ending.error)) this.#finish(ending.error);
      else this.#retry(ending.error.message, ending.error.retryAfterMs ?? 0);
    } else if (ending.kind === 'completed' && this.#isResumable) {
      // A stream of frames ends only when a frame says so. If it completes without, the gateway
      // only closed this connection.
      this.#retry('the gateway closed the stream', 0);
    } else this.#finish();
  }

  #isFinal(error: RequestRefused): boolean {
    if (error.code === 'UNAVAILABLE' || error.retryAfterMs !== null) return false;
    if (error.code !== 'INTERNAL_ERROR') return true;
    this.#faults += 1;
    return this.#faults >= faultsBeforeGivingUp;
  }

  #retry(reason: string, atLeastMs: number): void {
    const pauseMs = atLeastMs + this.#retries.failed();
    this.#retryTimer = setTimeout(() => this.#join(), pauseMs);
    this.#lose(reason);
  }

  #lose(reason: string): void {
    const now = performance.now();
    if (this.#state === 'live') {
      this.#lastLiveAt = now;
      this.#enter('reconnecting', reason);
    } else if (this.#state === 'connecting' && !this.#hasFailed) this.#enter('connecting', reason);
    this.#hasFailed = true;
    const { giveUpAfterSeconds } = this.#options;
    if (giveUpAfterSeconds === undefined) return;
    const leftMs = this.#lastLiveAt + giveUpAfterSeconds * 1000 - now;
    if (leftMs <= 0) this.#finish(new GatewayUnreachable(`${this.#parts.url} cannot be reached: ${reason}`));
    else this.#lastTryTimer ??= setTimeout(() => this.#tryLast(), leftMs);
  }

  /** The time is over. When this try fails too, so does the stream. */
  #tryLast(): void {
    this.#lastTryTimer = undefined;
    if (this.#retryTimer === undefined) {
      this.#parts.link.wake();
      return;
    }
    clearTimeout(this.#retryTimer);
    this.#join();
  }

  #enterLive(): void {
    if (this.#state === 'live') return;
    clearTimeout(this.#lastTryTimer);
    this.#lastTryTimer = undefined;
    this.#retries.works();
    this.#enter('live');
  }

  #enter(state: StreamStatus, reason?: string): void {
    this.#state = state;
    this.#options.onState?.(state, reason);
  }

  readonly #stop = (): void => {
    this.#queue.length = 0;
    this.#finish();
  };

  #finish(error?: Error): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#lastTryTimer);
    this.#options.signal?.removeEventListener('abort', this.#stop);
    this.#place?.leave();
    const waiter = this.#waiter;
    this.#waiter = undefined;
    if (waiter === undefined) this.#error = error;
    else if (error === undefined) waiter.resolve({ done: true, value: undefined });
    else waiter.reject(error);
  }
}

/** A frame's cursor and state. Undefined if they were not selected. */
function readFrame(value: unknown): { readonly cursor: string; readonly state: unknown } | undefined {
  if (typeof value !== 'object' || value === null || !('cursor' in value && 'state' in value)) return undefined;
  return typeof value.cursor === 'string' ? { cursor: value.cursor, state: value.state } : undefined;
}
