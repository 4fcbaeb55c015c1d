import { type Backoff, defaultBackoff, delayMs } from '../timing/backoff.ts';
import { type Connection, type Ending, type Heartbeat, openConnection } from './connection.ts';
import { GatewayUnreachable, RequestRefused, refuseRequest } from './errors.ts';
import type { TypedDocumentString } from './generated.ts';
import type { Target } from './target.ts';

/**
 * The state of a stream's connection.
 *
 * - connecting: not served yet, for the first time.
 * - live: the gateway accepted the key and serves this stream.
 * - reconnecting: the connection is lost. What was delivered stays true; the rest comes later.
 */
export type ConnectionState = 'connecting' | 'live' | 'reconnecting';

export interface SubscribeOptions {
  /** Ends the stream: the iteration is done, without an error. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Receives each change; `reconnecting` comes with the reason of the loss. `connecting` comes a
   * second time, with the reason, if the first try failed.
   */
  readonly onState?: ((state: ConnectionState, reason?: string) => void) | undefined;
  /**
   * The stream fails with GatewayUnreachable after this long without a live connection. Default: it
   * never gives up.
   */
  readonly giveUpAfterSeconds?: number | undefined;
  readonly backoff?: Backoff | undefined;
  readonly heartbeat?: Heartbeat | undefined;
}

/** One delivery of a subscription: the value of the document's one root field. */
export type Delivery<Data> = Data[keyof Data];

const defaultHeartbeat: Heartbeat = { pingMs: 10_000, pongMs: 5_000 };

/** Frames that wait for the consumer before reading from the socket stops. */
const highWater = 64;

/** After a connection that lived this long, the backoff starts again. */
const goodConnectionMs = 5_000;

/**
 * A gateway's internal error (INTERNAL_ERROR, 4500) may be transient. This many in a row are not.
 */
const faultsBeforeGivingUp = 5;

/**
 * Close codes that another try would meet again: bad protocol, too large a message, bad request,
 * bad response, revoked or unknown key, wrong subprotocol. All others are retried; the gateway's
 * own are 1012 (restart), 1013 (too slow) and 4403 (expired).
 */
const finalCloseCodes = new Set([1002, 1003, 1007, 1008, 1009, 1010, 4004, 4400, 4401, 4406, 4409]);

/**
 * Subscribes on its own WebSocket and stays subscribed. When the connection is lost it reconnects,
 * with exponential backoff, and resumes from the cursor of the last frame. Nothing is lost or
 * repeated, even across a restart of the gateway. A stream without cursors (`claimableSteps`,
 * `jobUpdated`) starts again with each connection.
 *
 * Iterate it once. It ends when the gateway says ENDED (or completes a stream without cursors),
 * when the signal is aborted, and when the consumer leaves the loop. It throws RequestRefused when
 * the gateway refuses it (code UNAUTHENTICATED if the key is revoked). A slow consumer makes the
 * socket wait: memory stays bounded and nothing is skipped.
 */
export function subscribe<Data, Variables extends Record<string, unknown>>(
  target: Target,
  document: TypedDocumentString<Data, Variables>,
  variables: Variables,
  options: SubscribeOptions = {},
): AsyncIterableIterator<Delivery<Data>> {
  return new Subscription<Delivery<Data>>(target, document.toString(), variables, options);
}

interface Waiter<Value> {
  resolve(result: IteratorResult<Value>): void;
  reject(error: unknown): void;
}

/**
 * The iterator, written by hand, because an async generator cannot be ended while it waits.
 *
 *     connecting ──first frame──▶ live ──lost──▶ reconnecting ──first frame──▶ live
 *          └──────────── ENDED, refused, aborted, returned ────────────▶ over
 */
class Subscription<Value> implements AsyncIterableIterator<Value> {
  readonly #target: Target;
  readonly #query: string;
  readonly #options: SubscribeOptions;
  /**
   * Whether it is a stream of frames. The first frame, which comes at once, then proves that it is
   * live.
   */
  readonly #isResumable: boolean;
  #variables: Record<string, unknown>;

  readonly #queue: Value[] = [];
  #waiter: Waiter<Value> | undefined;
  #connection: Connection | undefined;
  #retryTimer: NodeJS.Timeout | undefined;
  #state: ConnectionState | undefined;
  #liveSince: number | undefined;
  #lastLiveAt = performance.now();
  #failures = 0;
  #faults = 0;
  #isOver = false;
  #error: unknown;

  constructor(target: Target, query: string, variables: Record<string, unknown>, options: SubscribeOptions) {
    this.#target = target;
    this.#query = query;
    this.#variables = variables;
    this.#options = options;
    this.#isResumable = /\$after\b/.test(query);
    if (options.signal?.aborted) this.#isOver = true;
    else {
      options.signal?.addEventListener('abort', this.#stop, { once: true });
      this.#enter('connecting');
      this.#connect();
    }
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<Value>> {
    const value = this.#queue.shift();
    if (value !== undefined) {
      if (this.#queue.length < highWater / 2) this.#connection?.resume();
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

  #connect(): void {
    this.#connection = openConnection(
      this.#target,
      { query: this.#query, variables: this.#variables },
      this.#options.heartbeat ?? defaultHeartbeat,
      {
        onAccepted: () => {
          if (!this.#isResumable) this.#enterLive();
        },
        onData: (data) => this.#take(data),
        onEnd: (ending) => this.#lose(ending),
      },
    );
  }

  #take(data: Record<string, unknown>): void {
    if (this.#isOver) return;
    this.#enterLive();
    this.#faults = 0;
    for (const value of Object.values(data)) {
      const frame = readFrame(value);
      if (frame !== undefined && this.#isResumable) this.#variables = { ...this.#variables, after: frame.cursor };
      // The document's type describes its root field. It was generated from the schema by which the
      // gateway answers.
      this.#deliver(value as Value);
      if (frame?.state === 'ENDED') this.#finish();
    }
    if (this.#queue.length >= highWater) this.#connection?.pause();
  }

  #deliver(value: Value): void {
    const waiter = this.#waiter;
    this.#waiter = undefined;
    if (waiter === undefined) this.#queue.push(value);
    else waiter.resolve({ done: false, value });
  }

  #lose(ending: Ending): void {
    this.#connection = undefined;
    if (this.#isOver) return;
    const error = this.#finalError(ending);
    // A stream of frames ends only when a frame says so. If it completes without, the gateway only
    // closed this connection.
    if (error !== undefined || (ending.kind === 'completed' && !this.#isResumable)) this.#finish(error);
    else this.#retry(reasonOf(ending), ending.kind === 'refused' ? (refuseRequest(ending.errors).retryAfterMs ?? 0) : 0);
  }

  #finalError(ending: Ending): Error | undefined {
    if (ending.kind === 'refused') {
      const error = refuseRequest(ending.errors);
      if (error.code === 'UNAVAILABLE' || error.retryAfterMs !== null) return undefined;
      if (error.code !== 'INTERNAL_ERROR') return error;
      this.#faults += 1;
      return this.#faults >= faultsBeforeGivingUp ? error : undefined;
    }
    if (ending.kind === 'closed' && ending.code !== null) {
      if (ending.code === 4401) return new RequestRefused('UNAUTHENTICATED', ending.reason);
      if (finalCloseCodes.has(ending.code))
        return new RequestRefused('BAD_REQUEST', `${ending.reason} (WebSocket close code ${ending.code})`);
      if (ending.code === 4500) this.#faults += 1;
      if (this.#faults >= faultsBeforeGivingUp) return new RequestRefused('INTERNAL_ERROR', ending.reason);
    }
    return undefined;
  }

  #retry(reason: string, atLeastMs: number): void {
    const now = performance.now();
    if (this.#liveSince !== undefined) {
      if (now - this.#liveSince >= goodConnectionMs) this.#failures = 0;
      this.#liveSince = undefined;
      this.#lastLiveAt = now;
    }
    const patienceMs = (this.#options.giveUpAfterSeconds ?? Number.POSITIVE_INFINITY) * 1000;
    const leftMs = this.#lastLiveAt + patienceMs - now;
    if (leftMs <= 0) {
      this.#finish(new GatewayUnreachable(`${this.#target.url} cannot be reached: ${reason}`));
      return;
    }
    this.#failures += 1;
    if (this.#state === 'live') this.#enter('reconnecting', reason);
    else if (this.#state === 'connecting' && this.#failures === 1) this.#enter('connecting', reason);
    const delay = atLeastMs + delayMs(this.#options.backoff ?? defaultBackoff, this.#failures);
    this.#retryTimer = setTimeout(() => this.#connect(), Math.min(delay, leftMs));
  }

  #enterLive(): void {
    if (this.#state === 'live') return;
    this.#liveSince = performance.now();
    this.#enter('live');
  }

  #enter(state: ConnectionState, reason?: string): void {
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
    this.#options.signal?.removeEventListener('abort', this.#stop);
    this.#connection?.close();
    const waiter = this.#waiter;
    this.#waiter = undefined;
    if (waiter === undefined) this.#error = error;
    else if (error === undefined) waiter.resolve({ done: true, value: undefined });
    else waiter.reject(error);
  }
}

/** Why a connection was lost, as text for users. */
function reasonOf(ending: Ending): string {
  if (ending.kind === 'closed') return ending.reason;
  return ending.kind === 'refused' ? (ending.errors[0]?.message ?? 'internal error of the gateway') : 'the gateway closed the stream';
}

/** A frame's cursor and state. Undefined if the value is not a frame. */
function readFrame(value: unknown): { readonly cursor: string; readonly state: unknown } | undefined {
  if (typeof value !== 'object' || value === null || !('cursor' in value) || typeof value.cursor !== 'string') return undefined;
  return { cursor: value.cursor, state: 'state' in value ? value.state : undefined };
}
