/**
 * Gives events their place in the feed across jobs, after they are committed.
 *
 * A number that a transaction takes for itself can be committed after a higher one has been read, and a reader that goes on from the higher one
 * never sees it. So events arrive with the negative of a sequence, and whichever gateway holds the feed's counter turns those that are
 * committed into the next positions, in order of arrival. That order keeps what anyone can have seen: an event that was committed before another
 * was written arrived earlier, and events of one job arrive under the lock of its stream.
 *
 * Rejected: a lock that every commit takes (one fsync at a time); reading only below the oldest open transaction (orders by the start of
 * transactions, which can turn two events of one job around).
 */
import type pg from 'pg';

const MOST_AT_ONCE = 2_000;
/** Places what a gateway left that died between its commit and the placing. */
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
      // The database is away, or is being shut down: the safety poll tries again, and nothing is lost by waiting.
    }
  }

  /** Whether there may be more to place. */
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
      // Waits its turn when another gateway is placing: what was committed meanwhile is seen after that.
      const placed = counter ? await client.query(place, [counter.last]) : null;
      await client.query('COMMIT');
      hasFailed = false;
      return placed !== null && Number(placed.rows[0].last) > Number(counter.last);
    } finally {
      // One that failed is closed, which rolls back: it may be one that answers nothing any more.
      client.release(hasFailed);
    }
  }
}
