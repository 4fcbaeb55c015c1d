/**
 * Sends topics between the gateways of one PostgreSQL with LISTEN and NOTIFY.
 *
 * They are only hints that something may have changed. They are sent after the commit on a
 * connection of their own, because a NOTIFY inside a transaction makes every commit of the database
 * wait for a global lock. Those of a short interval are sent together. While the connection is
 * lost, hints are lost too: every listener is woken when it is back, and until then by the safety
 * poll of each stream.
 */
import pg from 'pg';
import { fullDelayMs } from '../../timing/backoff.ts';
import { anyTopic, type Topic } from '../store.ts';
import { PRESENCE_LOCK } from './origin.ts';

const CHANNEL = 'trainyard';
/** The limit of a payload: PostgreSQL accepts less than 8,000 bytes. */
const MOST_BYTES = 7_500;
const PAUSES = { baseMs: 100, capMs: 1_000 };

export class Notifier {
  #wasAlone: boolean | null = null;
  readonly #connection: pg.ClientConfig;
  readonly #check: (client: pg.Client) => Promise<void>;
  readonly #listeners = new Set<(topics: ReadonlySet<Topic>) => void>();
  #client: pg.Client | null = null;
  #outgoing = new Set<Topic>();
  #isSending = false;
  #isClosed = false;
  #retryTimer: NodeJS.Timeout | null = null;

  /** `check` throws if a new connection leads to another store. */
  constructor(connection: pg.ClientConfig, check: (client: pg.Client) => Promise<void> = () => Promise.resolve()) {
    this.#connection = connection;
    this.#check = check;
  }

  async open(): Promise<void> {
    const client = new pg.Client(this.#connection);
    client.on('error', () => {});
    client.on('notification', ({ processId, payload }) => {
      if (processId === Reflect.get(client, 'processID')) return;
      this.#deliver(new Set(payload ? payload.split(' ') : [anyTopic]));
    });
    try {
      await client.connect();
      await client.query(`LISTEN ${CHANNEL}`);
      const wasAlone = await this.#takePresence(client);
      // Checked after presence is taken: from then on, no gateway gives the store a new identity.
      await this.#check(client);
      this.#wasAlone ??= wasAlone;
    } catch (error) {
      // A half-opened connection would listen, and count as a gateway that is present.
      await client.end().catch(() => {});
      throw error;
    }
    // Closed in the meantime: an open connection would keep the process alive.
    if (this.#isClosed) return client.end();
    // Registered last: a connection that never opened is tried again by its caller.
    client.on('end', () => this.#lost(client));
    this.#client = client;
  }

  /** Whether no other gateway was present when this one first opened. */
  get wasAlone(): boolean {
    return this.#wasAlone === true;
  }

  get isOpen(): boolean {
    return this.#client !== null;
  }

  listen(listener: (topics: ReadonlySet<Topic>) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Wakes listeners of this process at once, and those of other gateways as soon as the connection
   * is free.
   */
  publish(topics: ReadonlySet<Topic>): void {
    this.#deliver(topics);
    for (const topic of topics) this.#outgoing.add(topic);
    if (!this.#isSending) setImmediate(() => void this.#send());
    this.#isSending = true;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#retryTimer) clearTimeout(this.#retryTimer);
    await this.#client?.end().catch(() => {});
  }

  /**
   * Returns whether no other gateway is present. A notifier that reopens after a lost connection
   * takes its share of the lock again.
   */
  async #takePresence(client: pg.Client): Promise<boolean> {
    const { rows } = await client.query('select pg_try_advisory_lock($1) as alone', [PRESENCE_LOCK]);
    await client.query('select pg_advisory_lock_shared($1)', [PRESENCE_LOCK]);
    if (rows[0].alone) await client.query('select pg_advisory_unlock($1)', [PRESENCE_LOCK]);
    return Boolean(rows[0].alone);
  }

  /** Whether no other process has an open notifier. */
  async isAlone(queries: Pick<pg.Pool, 'query'>): Promise<boolean> {
    const { rows } = await queries.query(
      `select count(*)::int as present from pg_locks
       where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())
         and classid = 0 and objid = $1 and mode = 'ShareLock' and granted`,
      [PRESENCE_LOCK],
    );
    return rows[0].present <= 1;
  }

  #deliver(topics: ReadonlySet<Topic>): void {
    for (const listener of this.#listeners) listener(topics);
  }

  async #send(): Promise<void> {
    for (let client = this.#client; this.#outgoing.size > 0 && client; client = this.#client) {
      const payload = [...this.#outgoing].join(' ');
      this.#outgoing = new Set();
      try {
        await client.query('select pg_notify($1, $2)', [CHANNEL, payload.length > MOST_BYTES ? anyTopic : payload]);
      } catch {
        // The connection is lost or no longer answers: `lost` handles it.
        await client.end().catch(() => {});
        break;
      }
    }
    this.#isSending = false;
  }

  #lost(client: pg.Client): void {
    if (this.#isClosed || this.#client !== client) return;
    this.#client = null;
    this.#retry(1);
  }

  /** The server is reachable: a pending retry happens at once. */
  hurry(): void {
    if (this.#retryTimer === null) return;
    clearTimeout(this.#retryTimer);
    this.#tryAgain(1);
  }

  #retry(failures: number): void {
    if (this.#isClosed) return;
    this.#retryTimer = setTimeout(() => this.#tryAgain(failures), fullDelayMs(PAUSES, failures));
    this.#retryTimer.unref();
  }

  #tryAgain(failures: number): void {
    this.#retryTimer = null;
    this.open().then(
      () => this.publish(new Set([anyTopic])),
      () => this.#retry(failures + 1),
    );
  }
}
