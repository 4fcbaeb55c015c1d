/**
 * Assigns events their positions in the feed across jobs, after they are committed.
 *
 * A position taken inside a transaction may be committed after a higher one was read. A reader that
 * continues after the higher one would never see it. So events are stored with the negative of a
 * sequence number, their order of arrival. The gateway that holds the lock on the feed's counter
 * then gives committed events the next positions, in that order. This order is consistent with what
 * readers can observe: an event that was committed before another was written has the lower number,
 * and events of one job are numbered under the lock of its stream.
 *
 * Rejected: a lock that every commit takes (one fsync at a time); reading only below the oldest
 * open transaction (it orders by the start of transactions, which can swap two events of one job).
 */
import type pg from 'pg';

const MOST_AT_ONCE = 2_000;
/** Assigns positions for a gateway that died between its commit and the assignment. */
const SAFETY_POLL_MS = 2_000;

const takeCounter = `
  /* Sequencer: one places at a time */
  select last from streams where job_id = '' and kind = 'event' for update`;
const makeCounter = `insert into streams (job_id, kind, last, first) values ('', 'event', 0, 1) on conflict do nothing`;
const place = `
  with arrived as (
    select job_id, seq, row_number() over (order by position desc) as n
    from (select job_id, seq, position from events where position < 0 order by position desc limit ${MOST_AT_ONCE}) as next
  ), placed as (
    update events set position = $1::bigint + arrived.n from arrived
    where events.job_id = arrived.job_id and events.seq = arrived.seq
    returning 1
  )
  update streams set last = last + (select count(*) from placed) where job_id = '' and kind = 'event' returning last`;

export class Sequencer {
  readonly #pool: pg.Pool;
  readonly #onPlaced: () => void;
  readonly #timer: NodeJS.Timeout;
  #run: Promise<void> | null = null;
  #isWoken = false;
  #isStopped = false;

  constructor(pool: pg.Pool, onPlaced: () => void) {
    this.#pool = pool;
    this.#onPlaced = onPlaced;
    this.#timer = setInterval(() => this.wake(), SAFETY_POLL_MS);
    this.#timer.unref();
  }

  wake(): void {
    this.#isWoken = true;
    if (this.#isStopped || this.#run) return;
    this.#run = this.#placeAll().finally(() => {
      this.#run = null;
      if (this.#isWoken) this.wake();
    });
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearInterval(this.#timer);
    await this.#run;
  }

  async #placeAll(): Promise<void> {
    this.#isWoken = false;
    try {
      while (!this.#isStopped && (await this.#placeSome())) this.#onPlaced();
    } catch {
      // The database is unreachable or shutting down. The safety poll tries again, and nothing is
      // lost by waiting.
    }
  }

  /** Returns whether there may be more events without a position. */
  async #placeSome(): Promise<boolean> {
    const client = await this.#pool.connect();
    let hasFailed = true;
    try {
      await client.query('BEGIN');
      let counter = (await client.query(takeCounter)).rows[0];
      if (!counter) {
        await client.query(makeCounter);
        counter = (await client.query(takeCounter)).rows[0];
      }
      // Waits while another gateway assigns positions. Events committed in the meantime are seen
      // after that.
      const placed = counter ? await client.query(place, [counter.last]) : null;
      await client.query('COMMIT');
      hasFailed = false;
      return placed !== null && Number(placed.rows[0].last) > Number(counter.last);
    } finally {
      // After a failure the connection is closed, which rolls back: it may be one that no longer
      // answers.
      client.release(hasFailed);
    }
  }
}
