/** When a silent peer counts as dead. */
export interface HeartbeatTimes {
  /** Ping this long after the last ping. */
  readonly pingMs: number;
  /** Without a message for this long after a ping, the connection is cut. */
  readonly pongMs: number;
}

/** Together, what an honest "live" may be based on: something was heard within 15 s. */
export const defaultHeartbeat: HeartbeatTimes = { pingMs: 10_000, pongMs: 5_000 };

interface HeartbeatEvents {
  /** Sends a ping. `pong` is called with its answer. */
  ping(): void;
  onLatency(ms: number): void;
  onSilent(): void;
  /** No answer came. The heartbeat has stopped. */
  onDead(reason: string): void;
}

/** No timer is set for longer, to notice soon when the machine slept. */
const longestTimerMs = 1_000;

/**
 * Pings a peer and decides when it is dead. Uses the wall clock: the monotonic one may stand still
 * while the machine sleeps. A clock that is set costs one ping.
 */
export class Heartbeat {
  readonly #times: HeartbeatTimes;
  readonly #events: HeartbeatEvents;
  #timer: ReturnType<typeof setTimeout>;
  #heardAt = Date.now();
  #pingedAt = Date.now();
  /** When the ping that is under way was sent, by the monotonic clock. */
  #sentAt: number | undefined;
  /** Whether nothing was heard since the last ping. */
  #isWaiting = false;
  /**
   * No answer came in time. But if this thread was busy, it may have arrived and not been read: the
   * verdict comes after everything that has arrived.
   */
  #isSuspect = false;
  #isPaused = false;

  constructor(times: HeartbeatTimes, events: HeartbeatEvents) {
    this.#times = times;
    this.#events = events;
    this.#timer = this.#arm(times.pingMs);
  }

  /** Call it for everything that arrives. */
  heard(): void {
    this.#heardAt = Date.now();
    this.#isWaiting = false;
    this.#isSuspect = false;
  }

  /** Call it for the answer to a ping. */
  pong(): void {
    this.heard();
    if (this.#sentAt !== undefined) this.#events.onLatency(performance.now() - this.#sentAt);
    this.#sentAt = undefined;
  }

  /** Pings at once. */
  check(): void {
    if (!this.#isWaiting) this.#ping();
  }

  /** While nothing is read, silence proves nothing: the pong may be in what was not read. */
  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#isWaiting = false;
    this.#isSuspect = false;
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #arm(ms: number): ReturnType<typeof setTimeout> {
    return setTimeout(() => this.#beat(), Math.min(longestTimerMs, Math.max(0, ms)));
  }

  #beat(): void {
    const { pingMs, pongMs } = this.#times;
    const now = Date.now();
    if (now < this.#pingedAt) this.#pingedAt = now; // the clock was set back
    const sincePing = now - this.#pingedAt;
    if (this.#isWaiting && !this.#isPaused && sincePing >= pongMs) {
      if (this.#isSuspect) {
        this.#events.onDead(`no answer to a ping within ${pongMs} ms`);
        return;
      }
      this.#isSuspect = true;
    }
    if (!this.#isWaiting && sincePing >= pingMs) {
      if (now - this.#heardAt > pingMs + pongMs && !this.#isPaused) this.#events.onSilent();
      this.#ping();
    }
    const next = (this.#isWaiting ? pongMs : pingMs) - (Date.now() - this.#pingedAt);
    this.#timer = this.#arm(this.#isPaused ? longestTimerMs : next);
  }

  #ping(): void {
    this.#pingedAt = Date.now();
    this.#sentAt = performance.now();
    this.#isWaiting = true;
    this.#events.ping();
  }
}
