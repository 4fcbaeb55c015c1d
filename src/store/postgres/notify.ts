/**
 * Carries topics between the gateways of one PostgreSQL, by LISTEN and NOTIFY.
 *
 * Hints alone: each says that something may have changed. They are sent after the commit and on a connection of their own (a NOTIFY inside a
 * transaction makes every commit of the database wait for a global lock), gathered for a moment. When the connection is lost, hints are
 * too; on its return everyone is woken, and until then the safety poll of each stream does.
 */
import pg from 'pg';
import { anyTopic, type Topic } from '../store.ts';
import { PRESENCE_LOCK } from './origin.ts';

const CHANNEL = 'trainyard';
/** Of NOTIFY's payload: PostgreSQL takes under 8,000 bytes. */
const MOST_BYTES = 7_500;
const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 1_000;

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

  /** `check` throws where a new connection leads to another store than this one's. */
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
      // Not before it is present: from then on nobody gives the store a new identity.
      await this.#check(client);
      this.#wasAlone ??= wasAlone;
    } catch (error) {
      // What was opened by half would listen, and be counted among the gateways that are there.
      await client.end().catch(() => {});
      throw error;
    }
    // Closed meanwhile: a connection that is left would keep the process from ending.
    if (this.#isClosed) return client.end();
    // Not before it is in use: one that never opened is tried again by whoever waits for it here.
    client.on('end', () => this.#lost(client));
    this.#client = client;
  }

  /** Whether no other gateway was there when it was first opened. */
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

  /** Tells this process at once, and the others as soon as the connection is free. */
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

  /** Answers whether it was nobody's. A notifier that opens again after its connection was lost takes its share again. */
  async #takePresence(client: pg.Client): Promise<boolean> {
    const { rows } = await client.query('select pg_try_advisory_lock($1) as alone', [PRESENCE_LOCK]);
    await client.query('select pg_advisory_lock_shared($1)', [PRESENCE_LOCK]);
    if (rows[0].alone) await client.query('select pg_advisory_unlock($1)', [PRESENCE_LOCK]);
    return Boolean(rows[0].alone);
  }

  /** Whether this process is the only one whose notifier is open. */
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
        // The connection is gone, or answers no more: `lost` sees to it.
        await client.end().catch(() => {});
        break;
      }
    }
    this.#isSending = false;
  }

  #lost(client: pg.Client): void {
    if (this.#isClosed || this.#client !== client) return;
    this.#client = null;
    this.#retry(FIRST_RETRY_MS);
  }

  /** The server is there: what waits to try again does so at once. */
  hurry(): void {
    if (this.#retryTimer === null) return;
    clearTimeout(this.#retryTimer);
    this.#tryAgain(FIRST_RETRY_MS);
  }

  #retry(delay: number): void {
    if (this.#isClosed) return;
    this.#retryTimer = setTimeout(() => this.#tryAgain(delay), delay);
    this.#retryTimer.unref();
  }

  #tryAgain(delay: number): void {
    this.#retryTimer = null;
    this.open().then(
      () => this.publish(new Set([anyTopic])),
      () => this.#retry(Math.min(delay * 2, LAST_RETRY_MS)),
    );
  }
}
