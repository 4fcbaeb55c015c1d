/**
 * The store as a PostgreSQL database that any number of gateways share.
 *
 * Transactions overlap, so this store does three things that SQLite's single writer makes
 * unnecessary. It retries after conflicts. It gives events their positions in the feed after they
 * are committed (`Sequencer`), at one gateway for all (`Election`). It sends wake-ups from gateway
 * to gateway (`Notifier`).
 */
import pg from 'pg';
import type { Instrument } from '../../instruments/instruments.ts';
import { poolGauges, queueDepth, StoreInstruments } from '../instruments.ts';
import { tables } from '../schema/postgres.ts';
import { anyTopic, feedTopic, type Queries, type Store, StoreUnusable, type Topic, type Tx } from '../store.ts';
import { isNulRefused, unavailabilityOf } from '../unavailable.ts';
import { Connection } from './connection.ts';
import { asDatabase, dialect } from './dialect.ts';
import { Election, whileElected } from './election.ts';
import { Notifier } from './notify.ts';
import type { Origin } from './origin.ts';
import { type Prepared, prepareDatabase } from './preparation.ts';
import { makeCounter, Sequencer } from './sequencer.ts';
import {
  ANSWER_WITHIN_MS,
  codeOf,
  connectionTo,
  DEFAULT_CONNECTIONS,
  isConnectionLost,
  isUnanswered,
  type ServerSettings,
  whileHintsAreSent,
} from './session.ts';
import { TRY_AGAIN, transact, Undone } from './transaction.ts';

const MOST_TRIES = 12;
/** Lost connections per write. While the server restarts, each new connection is lost as well. */
const MOST_LOSSES = 3;
/** For the elected gateway alone: events wait for their positions. */
const arrivedTopic: Topic = 'arrived';
/** The elected gateway has left. */
const leftTopic: Topic = 'left';

export interface PostgresOptions {
  /**
   * Milliseconds after which an unanswered statement fails, and its connection with it. Default:
   * 30,000.
   */
  readonly answerWithinMs?: number;
  /**
   * The most open connections, not counting those for notifications and the election. Default: 12.
   */
  readonly connections?: number;
  /** Gives the store a new identity, as the child of its current one: see `renewingStatements`. */
  readonly isRenewed?: boolean;
}

export async function openPostgres(
  url: string,
  { answerWithinMs = ANSWER_WITHIN_MS, connections = DEFAULT_CONNECTIONS, isRenewed = false }: PostgresOptions = {},
): Promise<Store> {
  try {
    const { version, identity, origin } = await prepareDatabase(url, isRenewed);
    const connect = (name: string, settings: ServerSettings = {}) => connectionTo(url, { name, answerWithinMs, settings });
    const notifier = new Notifier(connect('trainyard wire', whileHintsAreSent), origin.check);
    await notifier.open();
    const election = new Election(connect('trainyard election', whileElected), async (client) => {
      await origin.check(client);
      await client.query(makeCounter);
    });
    const sequencer = new Sequencer(election, () => notifier.publish(new Set([feedTopic])));
    await election
      .open((isNew) => (isNew ? sequencer.watch() : sequencer.wake()))
      .catch(async (error: unknown) => {
        await Promise.all([election.close(), notifier.close()]);
        throw error;
      });
    const pool = new pg.Pool({
      ...connect('trainyard'),
      max: connections,
      onConnect: (client) => origin.check(client),
    });
    // A broken connection (the server restarts) fails its query and is replaced for the next one.
    // Without these listeners the error would end the process.
    pool.on('error', () => {});
    pool.on('connect', (client) => client.on('error', () => {}));
    return new PostgresStore({ pool, notifier, election, sequencer }, { version, identity, origin });
  } catch (error) {
    if (error instanceof StoreUnusable) throw error;
    throw new StoreUnusable(`PostgreSQL cannot be used: ${error instanceof Error ? error.message || String(error) : String(error)}`);
  }
}

interface Parts {
  readonly pool: pg.Pool;
  readonly notifier: Notifier;
  readonly election: Election;
  readonly sequencer: Sequencer;
}

class PostgresStore implements Store {
  readonly description: string;
  readonly identity: string;
  readonly parent: string | null;
  readonly secret: Buffer;
  readonly tables = tables;
  readonly isFirst: boolean;
  readonly read: Queries;
  readonly instruments: readonly Instrument[];
  trouble: string | null = null;
  readonly #instruments: StoreInstruments;
  readonly #pool: pg.Pool;
  readonly #connections = new WeakMap<pg.PoolClient, Connection>();
  readonly #notifier: Notifier;
  readonly #election: Election;
  readonly #sequencer: Sequencer;
  readonly #origin: Origin;

  constructor({ pool, notifier, election, sequencer }: Parts, { version, identity: { identity, secret, parent }, origin }: Prepared) {
    this.#pool = pool;
    this.#notifier = notifier;
    this.#election = election;
    this.#sequencer = sequencer;
    this.#origin = origin;
    this.isFirst = notifier.wasAlone;
    this.identity = identity;
    this.parent = parent;
    this.secret = secret;
    this.description = `postgres ${version}${origin.isKnown ? '' : ', whose timeline cannot be read'}`;
    this.#instruments = new StoreInstruments([
      queueDepth(() => pool.waitingCount),
      ...poolGauges(pool, { isWireOpen: () => notifier.isOpen, isElected: () => this.isElected }),
    ]);
    this.instruments = this.#instruments.all();
    this.read = {
      db: asDatabase(readingTwice(pool)),
      t: tables,
      dialect,
      run: (query, values) => twice(() => this.#withConnection(({ statements }) => statements.run(query, values))),
      runUnnamed: async (build) => build(),
    };
    pool.on('connect', () => {
      notifier.hurry();
      election.hurry();
    });
    notifier.listen(
      (topics) => {
        if (topics.has(arrivedTopic) || topics.has(anyTopic)) sequencer.watch();
        if (topics.has(leftTopic)) void election.ask();
      },
      [arrivedTopic, leftTopic],
    );
  }

  get isElected(): boolean {
    return this.#election.elected !== null;
  }

  async write<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
    const asked = performance.now();
    for (let [tries, losses] = [1, 0]; ; tries++) {
      try {
        const { value, touched } = await this.#withConnection((connection) => {
          if (tries === 1) this.#instruments.queueSeconds.note((performance.now() - asked) / 1_000);
          return transact(connection, work, this.#instruments);
        });
        this.trouble = null;
        this.#instruments.committed.add();
        this.#instruments.writeSeconds.note((performance.now() - asked) / 1_000);
        this.#publish(touched);
        return value;
      } catch (error) {
        if (error instanceof Undone ? ++losses < MOST_LOSSES : tries < MOST_TRIES && TRY_AGAIN.has(codeOf(error))) {
          this.#instruments.retries.add();
          continue;
        }
        this.#instruments.undone.add();
        const failure = error instanceof Undone ? error.cause : error;
        const unavailable = unavailabilityOf(failure);
        if (unavailable) {
          this.trouble = unavailable.message;
          this.#instruments.troubles.add();
        }
        throw failure;
      }
    }
  }

  onCommit(listener: (topics: ReadonlySet<Topic>) => void, kinds: readonly string[] = [anyTopic]): () => void {
    return this.#notifier.listen(listener, kinds);
  }

  isInPlace(): boolean {
    return !this.#origin.isReplaced;
  }

  get replaced(): Promise<void> {
    return this.#origin.replaced;
  }

  isAlone(): Promise<boolean> {
    return this.#notifier.isAlone(this.#pool);
  }

  isUnstorableText(error: unknown): boolean {
    return isNulRefused(error);
  }

  isUniqueViolation(error: unknown): boolean {
    return codeOf(error) === '23505';
  }

  async close(): Promise<void> {
    await this.#sequencer.stop();
    const wasElected = this.isElected;
    await this.#election.close();
    if (wasElected) this.#notifier.publish(new Set([leftTopic]));
    await this.#notifier.close();
    await this.#pool.end();
  }

  #publish(touched: Set<Topic>): void {
    // Events are in the feed only after they have a position. The sequencer then announces them.
    if (touched.delete(feedTopic)) {
      if (this.isElected) this.#sequencer.wake();
      else if (this.#sequencer.isToBeTold()) touched.add(arrivedTopic);
    }
    if (touched.size > 0) this.#notifier.publish(touched);
  }

  async #withConnection<T>(use: (connection: Connection) => Promise<T>): Promise<T> {
    const client = await this.#pool.connect();
    let connection = this.#connections.get(client);
    if (!connection) {
      connection = new Connection(client);
      this.#connections.set(client, connection);
    }
    let broken: Error | undefined;
    try {
      return await use(connection);
    } catch (error) {
      if (error instanceof Error && (error instanceof Undone || isConnectionLost(error))) broken = error;
      throw error;
    } finally {
      client.release(broken);
    }
  }
}

/** Runs a read again on another connection if its own was lost. */
const twice = <T>(read: () => Promise<T>): Promise<T> =>
  read().catch((error: unknown) => {
    if (isConnectionLost(error) && !isUnanswered(error)) return read();
    throw error;
  });

/** The pool as Drizzle uses it for reads, one query at a time. */
function readingTwice(pool: pg.Pool): pg.Pool {
  const query = (text: pg.QueryConfig, values?: unknown[]) => twice(() => pool.query(text, values));
  return Object.create(pool, { query: { value: query } }) as pg.Pool;
}
