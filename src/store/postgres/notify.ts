/**
 * Sends topics between the gateways of one PostgreSQL with LISTEN and NOTIFY.
 *
 * They are only hints that something may have changed. They are sent after the commit on a
 * connection of their own, because a NOTIFY inside a transaction makes every commit of the database
 * wait for a global lock. Those of a short interval are sent together, and none is sent while no
 * other gateway has been heard of. While the connection is lost, hints are lost too: every listener
 * is woken when it is back, and until then by the safety poll of each stream.
 */
import type pg from 'pg';
import { anyTopic, type Topic } from '../store.ts';
import { KeptConnection } from './kept-connection.ts';
import { PRESENCE_LOCK } from './origin.ts';

const CHANNEL = 'trainyard';
const SEND = 'select pg_notify($1, $2)';
/** A gateway has come. No topic. */
const GREETING = 'present';
/** The limit of a payload: PostgreSQL accepts less than 8,000 bytes. */
const MOST_BYTES = 7_500;
/**
 * The first hint is sent at once, those of the next milliseconds together. Each costs PostgreSQL a
 * transaction, and work at each gateway.
 */
const SEND_EVERY_MS = 20;

export class Notifier {
  readonly #connection: KeptConnection;
  readonly #check: (client: pg.Client) => Promise<void>;
  readonly #listeners = new Set<(topics: ReadonlySet<Topic>) => void>();
  #wasAlone: boolean | null = null;
  #isAccompanied = false;
  #outgoing = new Set<Topic>();
  #sending: Promise<void> | null = null;
  #isClosed = false;

  /** `check` throws if a new connection leads to another store. */
  constructor(connection: pg.ClientConfig, check: (client: pg.Client) => Promise<void> = () => Promise.resolve()) {
    this.#check = check;
    this.#connection = new KeptConnection(connection, {
      prepare: (client) => this.#prepare(client),
      onBack: () => this.publish(new Set([anyTopic])),
    });
  }

  open(): Promise<void> {
    return this.#connection.open();
  }

  async #prepare(client: pg.Client): Promise<void> {
    client.on('notification', ({ processId, payload }) => {
      if (processId === Reflect.get(client, 'processID')) return;
      this.#isAccompanied = true;
      if (payload !== GREETING) this.#deliver(new Set(payload ? payload.split(' ') : [anyTopic]));
    });
    await client.query(`LISTEN ${CHANNEL}`);
    const wasAlone = await this.#takePresence(client);
    // Checked after presence is taken: from then on, no gateway gives the store a new identity.
    await this.#check(client);
    this.#wasAlone ??= wasAlone;
    if (wasAlone) return;
    this.#isAccompanied = true;
    // From now on, the others send their hints.
    await client.query(SEND, [CHANNEL, GREETING]);
  }

  /** Whether no other gateway was present when this one first opened. */
  get wasAlone(): boolean {
    return this.#wasAlone === true;
  }

  get isOpen(): boolean {
    return this.#connection.client !== null;
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
    this.#tellOthers(topics);
  }

  /** Sends what is still to be sent, and closes. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#sending;
    await this.#connection.close();
  }

  /** The server is reachable: a pending retry happens at once. */
  hurry(): void {
    this.#connection.hurry();
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

  #tellOthers(topics: ReadonlySet<Topic>): void {
    if (!this.#isAccompanied) return;
    for (const topic of topics) this.#outgoing.add(topic);
    this.#sending ??= this.#send().finally(() => {
      this.#sending = null;
    });
  }

  async #send(): Promise<void> {
    // The topics of this turn of the event loop go together.
    await new Promise(setImmediate);
    for (let client = this.#connection.client; this.#outgoing.size > 0 && client; client = this.#connection.client) {
      const payload = [...this.#outgoing].join(' ');
      this.#outgoing = new Set();
      try {
        await client.query(SEND, [CHANNEL, payload.length > MOST_BYTES ? anyTopic : payload]);
      } catch {
        // The connection is lost or no longer answers: another is opened.
        await client.end().catch(() => {});
        break;
      }
      if (!this.#isClosed) await new Promise((resolve) => setTimeout(resolve, SEND_EVERY_MS));
    }
    // Without a connection they are lost: every listener is woken when it is back.
    this.#outgoing.clear();
  }
}
