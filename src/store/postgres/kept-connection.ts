/** A connection of its own, outside the pool, that is opened again whenever it is lost. */
import pg from 'pg';
import { fullDelayMs } from '../../timing/backoff.ts';

const PAUSES = { baseMs: 100, capMs: 1_000 };

export interface KeptConnectionHooks {
  /** Prepares a new connection. If it rejects, the connection is ended. */
  prepare(client: pg.Client): Promise<void>;
  /** The connection was lost. */
  onLost?(): void;
  /** It is open again. */
  onBack?(): void;
}

export class KeptConnection {
  readonly #config: pg.ClientConfig;
  readonly #hooks: KeptConnectionHooks;
  #client: pg.Client | null = null;
  #isClosed = false;
  #retryTimer: NodeJS.Timeout | null = null;

  constructor(config: pg.ClientConfig, hooks: KeptConnectionHooks) {
    this.#config = config;
    this.#hooks = hooks;
  }

  /** Null while it is lost. */
  get client(): pg.Client | null {
    return this.#client;
  }

  /** Rejects if it cannot be opened. Then nothing is retried. */
  async open(): Promise<void> {
    const client = new pg.Client(this.#config);
    client.on('error', () => {});
    try {
      await client.connect();
      await this.#hooks.prepare(client);
    } catch (error) {
      // A half-opened connection would go on listening, and hold locks.
      await client.end().catch(() => {});
      throw error;
    }
    // Closed in the meantime: an open connection would keep the process alive.
    if (this.#isClosed) return client.end();
    // Registered last: a connection that never opened is tried again by its caller.
    client.on('end', () => this.#lost(client));
    this.#client = client;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#retryTimer) clearTimeout(this.#retryTimer);
    await this.#client?.end().catch(() => {});
    this.#client = null;
  }

  /** The server is reachable: a pending retry happens at once. */
  hurry(): void {
    if (this.#retryTimer === null) return;
    clearTimeout(this.#retryTimer);
    this.#tryAgain(1);
  }

  #lost(client: pg.Client): void {
    if (this.#isClosed || this.#client !== client) return;
    this.#client = null;
    this.#hooks.onLost?.();
    this.#retry(1);
  }

  #retry(failures: number): void {
    if (this.#isClosed) return;
    this.#retryTimer = setTimeout(() => this.#tryAgain(failures), fullDelayMs(PAUSES, failures));
    this.#retryTimer.unref();
  }

  #tryAgain(failures: number): void {
    this.#retryTimer = null;
    this.open().then(
      () => this.#hooks.onBack?.(),
      () => this.#retry(failures + 1),
    );
  }
}
