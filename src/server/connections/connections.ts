/** Something that stays open and is written to: a WebSocket, an SSE stream, an answer that is on its way. */
export interface Connection {
  /** Whether something waits for the peer to take it. */
  isBehind(): boolean;
  /** A figure that changes whenever the peer took something. */
  taken(): number;
  /** The peer took nothing for too long: let it go. */
  drop(): void;
  /** Asks whether the peer still lives. One that is behind is not asked, nor blamed for having kept silent. */
  ping(): void;
  /** The gateway stops: asks the peer to come back, once it has what it is owed. */
  leave(): void;
  /** Ends it at once. */
  cut(): void;
}

interface Watched {
  taken: number;
  /** Since when nothing was taken, by the monotonic clock; 0 while nothing waits. */
  behindSince: number;
}

/**
 * Keeps every open connection honest with one timer for all: peers that take nothing for `stallMs` are dropped, the others are pinged
 * every `pingMs`.
 *
 * Progress is judged by the pieces that the system's buffers of the connection took (outlet.ts). While so much is unsent that others wait for room
 * (`isTight`), a tenth of the time is enough. A timer for each connection would say the same and cost memory for each.
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

  /** Asks every peer to come back, at random moments of `spreadMs`, so that not all of them do in the same one. Resolves when all were asked. */
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
