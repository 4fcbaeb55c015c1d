/**
 * Elects one of the gateways of a PostgreSQL for the work that one does for all: positions in the
 * feed, and what happens because time passes.
 *
 * The elected gateway holds an advisory lock on a connection of its own. The others ask for it
 * every few seconds. PostgreSQL releases the lock when the connection ends: the process died, or
 * said nothing for `SILENT_MS` because it stands still or its machine is gone. Then the next that
 * asks is elected. One that comes back from a standstill may believe for a moment that it is still
 * elected, so the work must bear being done by two.
 */
import type pg from 'pg';
import { KeptConnection } from './kept-connection.ts';

/** An arbitrary number. */
const ELECTION_LOCK = 7_203_414;
const ASK_EVERY_MS = 3_000;
/** Longer than a busy machine delays the sign of life that is due every `ASK_EVERY_MS`. */
const SILENT_MS = 6_000;

/** Of the connection. Its statements read few rows, however many the planner expects. */
export const whileElected = {
  idle_session_timeout: SILENT_MS,
  enable_seqscan: 'off',
  enable_hashjoin: 'off',
  enable_mergejoin: 'off',
} as const;

export class Election {
  readonly #connection: KeptConnection;
  #onTurn: (isNew: boolean) => void = () => {};
  readonly #timer: NodeJS.Timeout;
  #elected: pg.Client | null = null;

  /** `prepare` throws if a new connection leads to another store. */
  constructor(connection: pg.ClientConfig, prepare: (client: pg.Client) => Promise<void>) {
    this.#connection = new KeptConnection(connection, {
      prepare,
      onLost: () => {
        this.#elected = null;
      },
      onBack: () => void this.ask(),
    });
    this.#timer = setInterval(() => void this.ask(), ASK_EVERY_MS);
    this.#timer.unref();
  }

  /**
   * `onTurn` is called when this gateway is elected, and every few seconds while it is. It has to
   * run a statement on the connection: that is the sign of life. `isNew`: it was not elected
   * before.
   */
  async open(onTurn: (isNew: boolean) => void): Promise<void> {
    this.#onTurn = onTurn;
    await this.#connection.open();
    await this.ask();
  }

  /** The connection that holds the lock. Null: another gateway is elected, or none. */
  get elected(): pg.Client | null {
    return this.#elected;
  }

  /** Asks for the lock now: the gateway that was elected may have left. */
  async ask(): Promise<void> {
    const { client } = this.#connection;
    const isNew = client !== null && !this.#elected && (await this.#isGranted(client));
    if (isNew) this.#elected = this.#connection.client;
    if (this.#elected) this.#onTurn(isNew);
  }

  hurry(): void {
    this.#connection.hurry();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#elected = null;
    await this.#connection.close();
  }

  async #isGranted(client: pg.Client): Promise<boolean> {
    try {
      return Boolean((await client.query('select pg_try_advisory_lock($1) as granted', [ELECTION_LOCK])).rows[0].granted);
    } catch {
      // The connection is lost or no longer answers: another is opened.
      await client.end().catch(() => {});
      return false;
    }
  }
}
