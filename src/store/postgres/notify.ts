/**
 * Sends topics between the gateways of one PostgreSQL with LISTEN and NOTIFY.
 *
 * They are only hints that something may have changed. They are sent after the commit on a
 * connection of their own, because a NOTIFY inside a transaction makes every commit of the database
 * wait for a global lock. Those of a short interval are sent together, and only what another
 * gateway wants to hear of (`WantedKinds`). While the connection is lost, hints are lost too: every
 * listener is woken when it is back, and until then by the safety poll of each stream.
 *
 * A payload is a list of words: topics, `wants:KIND,KIND` with all kinds that the sender wants, and
 * `knows:PROCESS`, which tells that gateway that the sender knows its wishes.
 */
import type pg from 'pg';
import { anyTopic, type Topic } from '../store.ts';
import { KeptConnection } from './kept-connection.ts';
import { PRESENCE_LOCK } from './origin.ts';
import { REPEAT_EVERY_MS, WantedKinds } from './wanted-kinds.ts';

const CHANNEL = 'trainyard';
const SEND = 'select pg_notify($1, $2)';
const WANTS = 'wants:';
const KNOWS = 'knows:';
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
  readonly #wanted = new WantedKinds();
  #repeatTimer: NodeJS.Timeout | undefined;
  #wasAlone: boolean | null = null;
  #isAccompanied = false;
  /** Words for the others, besides the wishes. */
  #outgoing = new Set<string>();
  #tellsWishes = false;
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

  async open(): Promise<void> {
    await this.#connection.open();
    if (this.#isClosed) return;
    this.#repeatTimer = setInterval(() => {
      this.#wanted.tidy();
      this.#tellWishes();
    }, REPEAT_EVERY_MS);
    this.#repeatTimer.unref();
  }

  async #prepare(client: pg.Client): Promise<void> {
    client.on('notification', ({ processId, payload }) => {
      const own = Number(Reflect.get(client, 'processID'));
      if (processId !== own) this.#hear(processId, own, payload ? payload.split(' ') : [anyTopic]);
    });
    await client.query(`LISTEN ${CHANNEL}`);
    const wasAlone = await this.#takePresence(client);
    // Checked after presence is taken: from then on, no gateway gives the store a new identity.
    await this.#check(client);
    this.#wasAlone ??= wasAlone;
    this.#wanted.begin();
    if (wasAlone) return;
    this.#isAccompanied = true;
    // From now on, the others send their hints.
    await client.query(SEND, [CHANNEL, this.#wishes()]);
  }

  /** `own`: the process of PostgreSQL that serves this connection. */
  #hear(sender: number, own: number, words: readonly string[]): void {
    this.#isAccompanied = true;
    const heard = new Set<Topic>();
    for (const word of words) {
      if (word.startsWith(WANTS)) {
        const { isNewcomer, hasMissed } = this.#wanted.hear(sender, word.slice(WANTS.length).split(',').filter(Boolean));
        if (isNewcomer) this.#tellWishes();
        if (hasMissed) this.#tellOthers([`${KNOWS}${sender}`]);
      } else if (word === `${KNOWS}${own}`) heard.add(anyTopic);
      else if (!word.startsWith(KNOWS)) heard.add(word);
    }
    if (heard.size > 0) this.#deliver(heard);
  }

  #wishes(): string {
    return `${WANTS}${this.#wanted.own.join()}`;
  }

  /** Whether no other gateway was present when this one first opened. */
  get wasAlone(): boolean {
    return this.#wasAlone === true;
  }

  get isOpen(): boolean {
    return this.#connection.client !== null;
  }

  /** Of other gateways' topics, it gets at least those of these kinds. */
  listen(listener: (topics: ReadonlySet<Topic>) => void, kinds: readonly string[]): () => void {
    this.#listeners.add(listener);
    if (this.#wanted.add(kinds)) this.#tellWishes();
    return () => {
      if (this.#listeners.delete(listener)) this.#wanted.remove(kinds);
    };
  }

  /**
   * Wakes listeners of this process at once, and those of other gateways as soon as the connection
   * is free.
   */
  publish(topics: ReadonlySet<Topic>): void {
    this.#deliver(topics);
    this.#tellOthers([...topics].filter((topic) => this.#wanted.isWantedElsewhere(topic)));
  }

  /** Sends what is still to be sent, and closes. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#repeatTimer);
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

  #tellWishes(): void {
    this.#tellsWishes = true;
    this.#sendSoon();
  }

  #tellOthers(words: readonly string[]): void {
    if (!this.#isAccompanied) return;
    for (const word of words) this.#outgoing.add(word);
    this.#sendSoon();
  }

  #sendSoon(): void {
    this.#sending ??= this.#send().finally(() => {
      this.#sending = null;
    });
  }

  async #send(): Promise<void> {
    // The words of this turn of the event loop go together.
    await new Promise(setImmediate);
    for (let client = this.#connection.client; client && this.#hasNews; client = this.#connection.client) {
      const payload = payloadOf([...(this.#tellsWishes ? [this.#wishes()] : []), ...this.#outgoing]);
      this.#outgoing = new Set();
      this.#tellsWishes = false;
      try {
        await client.query(SEND, [CHANNEL, payload]);
      } catch {
        // The connection is lost or no longer answers: another is opened.
        await client.end().catch(() => {});
        break;
      }
      if (!this.#isClosed) await new Promise((resolve) => setTimeout(resolve, SEND_EVERY_MS));
    }
    // Without a connection they are lost: every listener is woken when it is back. A new connection
    // begins with the wishes.
    this.#outgoing.clear();
    this.#tellsWishes = false;
  }

  get #hasNews(): boolean {
    return this.#isAccompanied && (this.#tellsWishes || this.#outgoing.size > 0);
  }
}

/** Too many topics are replaced by the one for all. */
function payloadOf(words: readonly string[]): string {
  const all = words.join(' ');
  if (all.length <= MOST_BYTES) return all;
  return [...words.filter((word) => word.startsWith(WANTS) || word.startsWith(KNOWS)), anyTopic].join(' ');
}
