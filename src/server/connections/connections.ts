/** A connection with output: a WebSocket, an SSE stream, or an answer that is being sent. */
export interface Connection {
  /** Whether it has unsent output. */
  isBehind(): boolean;
  /** A number that changes whenever the peer accepts data. */
  taken(): number;
  /** Disconnects a peer that accepted nothing for too long. */
  drop(): void;
  /**
   * Checks whether the peer is alive. A peer with unsent output is not pinged, and not dropped for
   * missing pongs.
   */
  ping(): void;
  /** The gateway stops: asks the peer to reconnect after it has received its pending output. */
  leave(): void;
  /** Ends it at once. */
  cut(): void;
}

interface Watched {
  taken: number;
  /**
   * When the peer last accepted data, by the monotonic clock. 0 while there is no unsent output.
   */
  behindSince: number;
}

/**
 * Watches all open connections with one timer. Peers that accept nothing for `stallMs` are dropped,
 * and the others are pinged every `pingMs`.
 *
 * Progress is measured in pieces accepted by the system's socket buffers (outlet.ts). While others
 * wait for room because too much is unsent (`isTight`), a tenth of the time is enough. A timer for
 * each connection would do the same but cost memory for each.
 */
export class Connections {
  readonly #watched = new Map<Connection, Watched>();
  readonly #timers: readonly NodeJS.Timeout[];
  readonly #stallMs: number;
  readonly #onDrop: () => void;
  readonly #isTight: () => boolean;

  constructor(limits: { stallMs: number; pingMs: number }, onDrop: () => void, isTight: () => boolean = () => false) {
    this.#stallMs = limits.stallMs;
    this.#onDrop = onDrop;
    this.#isTight = isTight;
    this.#timers = [
      setInterval(() => this.#dropStalled(), Math.max(10, Math.min(1_000, limits.stallMs / 10))).unref(),
      setInterval(() => this.#ping(), limits.pingMs).unref(),
    ];
  }

  get size(): number {
    return this.#watched.size;
  }

  add(connection: Connection): void {
    this.#watched.set(connection, { taken: connection.taken(), behindSince: 0 });
  }

  remove(connection: Connection): void {
    this.#watched.delete(connection);
  }

  /**
   * Asks every peer to reconnect, at random times within `spreadMs`, so that they do not all return
   * at once. Resolves when all were asked.
   */
  async leave(spreadMs: number): Promise<void> {
    await Promise.all(
      [...this.#watched.keys()].map(async (connection) => {
        await new Promise((resolve) => setTimeout(resolve, Math.random() * spreadMs));
        connection.leave();
      }),
    );
  }

  /** Ends whatever is left at once, and watches no more. */
  stop(): void {
    for (const timer of this.#timers) clearInterval(timer);
    for (const connection of this.#watched.keys()) connection.cut();
  }

  #ping(): void {
    for (const connection of this.#watched.keys()) connection.ping();
  }

  #dropStalled(): void {
    const now = performance.now();
    const patience = this.#isTight() ? this.#stallMs / 10 : this.#stallMs;
    for (const [connection, watched] of this.#watched) {
      const taken = connection.taken();
      if (!connection.isBehind()) watched.behindSince = 0;
      else if (watched.behindSince === 0 || taken !== watched.taken) watched.behindSince = now;
      else if (now - watched.behindSince >= patience) {
        this.#watched.delete(connection);
        connection.drop();
        this.#onDrop();
      }
      watched.taken = taken;
    }
  }
}
