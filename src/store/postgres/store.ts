/**
 * The store as a PostgreSQL database that any number of gateways share.
 *
 * Transactions overlap, so this store does three things that SQLite's single writer makes
 * unnecessary. It retries after conflicts. It gives events their positions in the feed after they
 * are committed (`Sequencer`). It sends wake-ups from gateway to gateway (`Notifier`).
 */
import { type SQL, sql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/node-postgres';
import { migrate } from 'drizzle-orm/node-postgres/migrator';
import pg from 'pg';
import type { Instrument } from '../../instruments/instruments.ts';
import { type Identity, readIdentity } from '../identity.ts';
import { poolGauges, queueDepth, StoreInstruments } from '../instruments.ts';
import { migrationsOf } from '../migrations.ts';
import { tables } from '../schema/postgres.ts';
import { PreparedStatements } from '../statements/prepared.ts';
import {
  type Database,
  type Dialect,
  feedTopic,
  type Preparable,
  type Queries,
  type Statement,
  type Store,
  StoreUnusable,
  type Topic,
  type Tx,
} from '../store.ts';
import { isNulRefused, StoreUnavailable, unavailabilityOf } from '../unavailable.ts';
import { Notifier } from './notify.ts';
import { Origin, readOrigin, settleOrigin } from './origin.ts';
import { Sequencer } from './sequencer.ts';
import { ANSWER_WITHIN_MS, codeOf, connectionTo, DEFAULT_CONNECTIONS, isConnectionLost, isUnanswered, isUnsent } from './session.ts';

const MOST_TRIES = 12;
/** Lost connections per write. While the server restarts, each new connection is lost as well. */
const MOST_LOSSES = 3;
/**
 * An arbitrary number. Held while migrations run, so that gateways that start together take turns.
 */
export const MIGRATION_LOCK = 7_203_411;
/**
 * serialization_failure and deadlock_detected: PostgreSQL's documentation advises to run the
 * transaction again.
 */
const TRY_AGAIN = new Set(['40001', '40P01']);

export interface PostgresOptions {
  /**
   * Milliseconds after which an unanswered statement fails, and its connection with it. Default:
   * 30,000.
   */
  readonly answerWithinMs?: number;
  /** The most open connections, not counting the one for notifications. Default: 12. */
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
    const notifier = new Notifier(connectionTo(url, { name: 'trainyard wire', answerWithinMs }), origin.check);
    await notifier.open();
    const pool = new pg.Pool({
      ...connectionTo(url, { name: 'trainyard', answerWithinMs }),
      max: connections,
      onConnect: (client) => origin.check(client),
    });
    // A broken connection (the server restarts) fails its query and is replaced for the next one.
    // Without these listeners the error would end the process.
    pool.on('error', () => {});
    pool.on('connect', (client) => client.on('error', () => {}));
    return new PostgresStore(pool, notifier, { version, identity, origin });
  } catch (error) {
    if (error instanceof StoreUnusable) throw error;
    throw new StoreUnusable(`PostgreSQL cannot be used: ${error instanceof Error ? error.message || String(error) : String(error)}`);
  }
}

interface Prepared {
  readonly version: string;
  readonly identity: Identity;
  readonly origin: Origin;
}

async function prepareDatabase(url: string, isRenewed: boolean): Promise<Prepared> {
  const { migrationsFolder, refuseNewer } = migrationsOf('postgres');
  // On a connection of its own without a time limit: migrations, including another gateway's, may
  // take long.
  const client = new pg.Client(connectionTo(url, { name: 'trainyard', answerWithinMs: null }));
  client.on('error', () => {});
  try {
    await client.connect();
    await client.query('select pg_advisory_lock($1)', [MIGRATION_LOCK]);
    const { rows } = await client.query(`select to_regclass('drizzle.__drizzle_migrations') is not null as known`);
    if (rows[0].known) {
      const applied = await client.query('select max(created_at) as newest from drizzle.__drizzle_migrations');
      refuseNewer(Number(applied.rows[0].newest));
    }
    const origin = await readOrigin(client);
    await migrate(drizzle(client), { migrationsFolder });
    await settleOrigin(client, origin, { isRenewed });
    const identity = await readIdentity(new PreparedStatements(asDatabase(client), tables, dialect));
    const version = String((await client.query('show server_version')).rows[0].server_version);
    return { version, identity, origin: new Origin(origin, identity.identity) };
  } finally {
    // This also releases the lock.
    await client.end().catch(() => {});
  }
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
  readonly #connections = new WeakMap<pg.PoolClient, PreparedStatements>();
  readonly #notifier: Notifier;
  readonly #sequencer: Sequencer;
  readonly #origin: Origin;

  constructor(pool: pg.Pool, notifier: Notifier, { version, identity: { identity, secret, parent }, origin }: Prepared) {
    this.#pool = pool;
    this.#notifier = notifier;
    this.#origin = origin;
    this.isFirst = notifier.wasAlone;
    this.identity = identity;
    this.parent = parent;
    this.secret = secret;
    this.description = `postgres ${version}${origin.isKnown ? '' : ', whose timeline cannot be read'}`;
    this.#instruments = new StoreInstruments([queueDepth(() => pool.waitingCount), ...poolGauges(pool, () => notifier.isOpen)]);
    this.instruments = this.#instruments.all();
    this.#sequencer = new Sequencer(pool, () => notifier.publish(new Set([feedTopic])));
    this.read = {
      db: asDatabase(readingTwice(pool)),
      t: tables,
      dialect,
      run: (query, values) => twice(() => this.#withConnection((connection) => connection.run(query, values))),
      runUnnamed: async (build) => build(),
    };
    pool.on('connect', () => notifier.hurry());
    this.#sequencer.wake();
  }

  async write<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
    const asked = performance.now();
    for (let [tries, losses] = [1, 0]; ; tries++) {
      try {
        const { value, touched } = await this.#withConnection((connection, client) => {
          if (tries === 1) this.#instruments.queueSeconds.note((performance.now() - asked) / 1_000);
          return transact(connection, client, work, this.#instruments);
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

  onCommit(listener: (topics: ReadonlySet<Topic>) => void): () => void {
    return this.#notifier.listen(listener);
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
    await this.#notifier.close();
    await this.#pool.end();
  }

  #publish(touched: Set<Topic>): void {
    // Events are in the feed only after they have a position. The sequencer then announces them.
    if (touched.delete(feedTopic)) this.#sequencer.wake();
    if (touched.size > 0) this.#notifier.publish(touched);
  }

  async #withConnection<T>(use: (connection: PreparedStatements, client: pg.PoolClient) => Promise<T>): Promise<T> {
    const client = await this.#pool.connect();
    let connection = this.#connections.get(client);
    if (!connection) {
      connection = new PreparedStatements(asDatabase(client), tables, dialect);
      this.#connections.set(client, connection);
    }
    let broken: Error | undefined;
    try {
      return await use(connection, client);
    } catch (error) {
      if (error instanceof Error && (error instanceof Undone || isConnectionLost(error))) broken = error;
      throw error;
    } finally {
      client.release(broken);
    }
  }
}

class PostgresTx implements Tx {
  readonly t = tables;
  readonly dialect = dialect;
  readonly db: Database;
  readonly touched = new Set<Topic>();
  readonly #connection: PreparedStatements;

  constructor(connection: PreparedStatements) {
    this.#connection = connection;
    this.db = connection.db;
  }
  run<P, R>(query: Statement<P, R>, values: P): Promise<R> {
    return this.#connection.run(query, values);
  }
  runUnnamed<R>(build: () => Preparable<R>): Promise<R> {
    return this.#connection.runUnnamed(build);
  }
  touch(topic: Topic): void {
    this.touched.add(topic);
  }
}

/**
 * The connection was lost before COMMIT was sent. The server rolls back, so the write can run again
 * on another connection.
 */
class Undone extends Error {
  constructor(cause: unknown) {
    super('The connection was lost.', { cause });
  }
}

/**
 * For errors before COMMIT: after a lost connection the write may run again, unless its time is
 * used up.
 */
const orUndone = (error: unknown): unknown => (isConnectionLost(error) && !isUnanswered(error) ? new Undone(error) : error);

async function transact<T>(
  connection: PreparedStatements,
  client: pg.PoolClient,
  work: (tx: Tx) => Promise<T>,
  instruments: StoreInstruments,
) {
  const tx = new PostgresTx(connection);
  try {
    await client.query('BEGIN');
    const value = await work(tx);
    const before = performance.now();
    const { command } = await client.query('COMMIT').catch((error: unknown) => {
      // The server ended the connection before COMMIT reached it.
      if (isUnsent(error) || codeOf(error) === '25P03') throw new Undone(error);
      throw TRY_AGAIN.has(codeOf(error)) ? error : (unavailabilityOf(error, { isOpen: true }) ?? error);
    });
    // The server's answer to COMMIT if a statement failed and its error was ignored.
    if (command !== 'COMMIT') throw new Error('A statement of this write had failed; it was rolled back.');
    instruments.commitSeconds.note((performance.now() - before) / 1_000);
    instruments.commitWrites.note(1);
    return { value, touched: tx.touched };
  } catch (error) {
    // On a lost connection, ROLLBACK would wait behind a statement that is never answered. The
    // server rolls back by itself.
    if (!(error instanceof Undone) && !isConnectionLost(error)) await client.query('ROLLBACK').catch(() => {});
    throw error instanceof StoreUnavailable ? error : orUndone(error);
  }
}

const dialect: Dialect = {
  arrival: sql<number>`-nextval('events_arrival')` as SQL<number>,
  later: (moment, milliseconds) => sql`${moment}::timestamptz + ${milliseconds} * interval '1 millisecond'`,
  span: (milliseconds) => sql`${milliseconds} * interval '1 millisecond'`,
  // Cast: a select of PostgreSQL's builder has `for`. The common type is SQLite's, which does not.
  lock: (query, mode) =>
    (query as unknown as { for(strength: 'update', config: { skipLocked?: true }): typeof query }).for(
      'update',
      mode === 'skip' ? { skipLocked: true } : {},
    ),
  takesTurn: (lock) => sql<boolean>`pg_try_advisory_xact_lock(${lock}::bigint)`,
  contains: (column, part) => sql`strpos(lower(${column} collate "C"), ${part}) > 0`,
  unindexed: (column) => sql`${column}`,
  bytes: (column) => sql`octet_length(${column}::text)`,
  text: (column) => sql`${column}::text`,
};

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

/** Cast: see columns.ts. */
function asDatabase(client: pg.Pool | pg.PoolClient | pg.Client): Database {
  return drizzle(client, { casing: 'snake_case' }) as unknown as Database;
}
