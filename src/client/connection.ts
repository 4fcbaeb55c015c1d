import { isWithoutNetwork } from './surroundings.ts';

/**
 * The state of a client's connection.
 *
 * - idle: there is none, because nothing is subscribed.
 * - connecting: the first try is under way, or failed and is tried again.
 * - live: the gateway serves the subscriptions, and something was heard within the last 15 s.
 * - reconnecting: the connection is lost, and tried again. What was delivered stays true; the rest
 *   comes later.
 * - offline: the browser reports that it has no network, or no try has worked for 30 s. It is still
 *   tried again.
 */
export type ConnectionStatus = 'idle' | 'connecting' | 'live' | 'reconnecting' | 'offline';

/** How a client's subscriptions reach it, and whether they do. Times are in ms since 1970. */
export interface Connection {
  readonly state: ConnectionStatus;
  /** When it entered the state. */
  readonly since: number;
  /** When anything arrived last: a frame or the answer to a ping. Null before the first. */
  readonly lastHeardAt: number | null;
  /** How long the answer to the last ping took. Null before the first. */
  readonly latencyMs: number | null;
  /** What carries the subscriptions. */
  readonly via: 'websocket' | 'sse';
  /** Why it was lost or refused, for people. Null while nothing is wrong. */
  readonly reason: string | null;
}

/** Without a connection for this long, the gateway counts as away. */
const offlineAfterMs = 30_000;

/** Keeps the state of a connection, and tells who listens. */
export class ConnectionState {
  #state: ConnectionStatus = 'idle';
  #since = Date.now();
  #lastHeardAt: number | null = null;
  #latencyMs: number | null = null;
  #via: Connection['via'] = 'websocket';
  #reason: string | null = null;
  #offlineTimer: ReturnType<typeof setTimeout> | undefined;
  readonly #listeners = new Set<() => void>();

  get now(): Connection {
    return {
      state: this.#state,
      since: this.#since,
      lastHeardAt: this.#lastHeardAt,
      latencyMs: this.#latencyMs,
      via: this.#via,
      reason: this.#reason,
    };
  }

  /** Calls back on each change but that of `lastHeardAt`. Returns what ends it. */
  onChange(listener: () => void): () => void {
    const own = () => listener();
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  begin(): void {
    this.#awaitOffline();
    this.#enter('connecting', null);
  }

  live(via: Connection['via']): void {
    clearTimeout(this.#offlineTimer);
    const isChanged = via !== this.#via;
    this.#via = via;
    this.#lastHeardAt = Date.now();
    if (this.#state !== 'live') this.#enter('live', null);
    else if (isChanged) this.#tell();
  }

  /** Something arrived. */
  hear(): void {
    this.#lastHeardAt = Date.now();
    if (this.#state !== 'live') this.live(this.#via);
  }

  measure(latencyMs: number): void {
    this.#latencyMs = latencyMs;
    this.#tell();
  }

  /** The connection is lost, or seems to be. */
  lose(reason: string): void {
    const isLost = this.#state === 'live';
    if (isLost) this.#awaitOffline();
    if (isWithoutNetwork()) this.#enter('offline', reason);
    else this.#enter(isLost ? 'reconnecting' : this.#state, reason);
  }

  rest(reason: string | null): void {
    clearTimeout(this.#offlineTimer);
    this.#enter('idle', reason);
  }

  #awaitOffline(): void {
    clearTimeout(this.#offlineTimer);
    this.#offlineTimer = setTimeout(() => this.#enter('offline', this.#reason), offlineAfterMs);
  }

  #enter(state: ConnectionStatus, reason: string | null): void {
    if (state === this.#state && reason === this.#reason) return;
    if (state !== this.#state) this.#since = Date.now();
    this.#state = state;
    this.#reason = reason;
    this.#tell();
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}
