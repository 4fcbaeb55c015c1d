import { type Backoff, defaultBackoff, delayMs } from './backoff.ts';
import { type Connection, type Ending, type Heartbeat, openConnection } from './connection.ts';
import { GatewayUnreachable, RequestRefused, refuseRequest } from './errors.ts';
import type { TypedDocumentString } from './generated.ts';
import type { Target } from './target.ts';

/**
 * connecting: not served yet, for the first time. live: the gateway accepted the key and serves this stream now. reconnecting: the
 * connection is lost; what was delivered stays true, what happens meanwhile comes later.
 */
export type ConnectionState = 'connecting' | 'live' | 'reconnecting';

export interface SubscribeOptions {
  /** Ends the stream: the iteration is then done, without an error. */
  readonly signal?: AbortSignal | undefined;
  /** Told of each change; with `reconnecting`, why the connection was lost. `connecting` comes once more, with why, when the first try has failed. */
  readonly onState?: ((state: ConnectionState, reason?: string) => void) | undefined;
  /** After this long without a live connection the stream fails with GatewayUnreachable. Default: it never gives up. */
  readonly giveUpAfterSeconds?: number | undefined;
  readonly backoff?: Backoff | undefined;
  readonly heartbeat?: Heartbeat | undefined;
}

/** What one delivery of a subscription holds: the value of the document's one root field. */
export type Delivery<Data> = Data[keyof Data];

const defaultHeartbeat: Heartbeat = { pingMs: 10_000, pongMs: 5_000 };

/** Frames that wait for the consumer before the socket is not read any more. */
const highWater = 64;

/** A connection that lived this long was a good one: the next loss starts with the shortest wait again. */
const goodConnectionMs = 5_000;

/** A fault of the gateway (INTERNAL_ERROR, 4500) may pass; one that comes this often in a row does not. */
const faultsBeforeGivingUp = 5;

/**
 * Closed for a reason that another attempt would meet again: bad protocol, too large a message, bad request, bad response, revoked or unknown
 * key, wrong subprotocol. All others are retried; of the gateway's own these are 1012 (restart), 1013 (too slow), 4403 (expired).
 */
const finalCloseCodes = new Set([1002, 1003, 1007, 1008, 1009, 1010, 4004, 4400, 4401, 4406, 4409]);

/**
 * Subscribes, on a WebSocket of its own, and stays subscribed: when the connection is lost it connects again, with exponential backoff,
 * and goes on from the cursor of the last frame that it was given. Nothing is lost and nothing repeats, also across a restart of the
 * gateway. A stream whose values carry no cursor (`claimableSteps`, `jobUpdated`) starts anew with each connection.
 *
 * Iterate it once. It ends when the gateway says ENDED (or completes a stream without cursors), when the signal is aborted and when the
 * consumer leaves the loop; it throws RequestRefused when the gateway refuses it (code UNAUTHENTICATED when the key is revoked).
 * A consumer that does not keep up makes the socket wait: memory stays bounded, and nothing is skipped.
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
 * The iterator, written by hand: an async generator cannot be ended while it waits.
 *
 *   connecting ──first frame──▶ live ──lost──▶ reconnecting ──first frame──▶ live
 *        └──────────── ENDED, refused, aborted, returned ────────────▶ over
 */
class Subscription<Value> implements AsyncIterableIterator<Value> {
  readonly #target: Target;
  readonly #query: string;
  readonly #options: SubscribeOptions;
  /** Whether the stream is one of frames: `live` is then proven by the first of them, which comes at once. */
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
      // The document's type says what its root field holds; the gateway answers by the schema that it was generated from.
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
    // A stream of frames is over when a frame says so. Completed without it, the gateway only lets go of this connection.
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

/** Why a connection was lost, for people. */
function reasonOf(ending: Ending): string {
  if (ending.kind === 'closed') return ending.reason;
  return ending.kind === 'refused' ? (ending.errors[0]?.message ?? 'the gateway had a fault') : 'the gateway let go of the stream';
}

/** The cursor and state of a frame; undefined for a value that is none. */
function readFrame(value: unknown): { readonly cursor: string; readonly state: unknown } | undefined {
  if (typeof value !== 'object' || value === null || !('cursor' in value) || typeof value.cursor !== 'string') return undefined;
  return { cursor: value.cursor, state: 'state' in value ? value.state : undefined };
}
