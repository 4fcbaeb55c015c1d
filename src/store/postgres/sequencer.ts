/**
 * Assigns events their positions in the feed across jobs, after they are committed.
 *
 * A position taken inside a transaction may be committed after a higher one was read. A reader that
 * continues after the higher one would never see it. So events are stored with the negative of a
 * sequence number, their order of arrival. The elected gateway then gives committed events the next
 * positions, in that order. This order is consistent with what readers can observe: an event that
 * was committed before another was written has the lower number, and events of one job are numbered
 * under the lock of its stream.
 *
 * The election only saves work. That positions are given in turn follows from the lock on the row
 * of the feed's counter, which `place` holds until its end.
 *
 * Rejected: a lock that every commit takes (one fsync at a time); reading only below the oldest
 * open transaction (it orders by the start of transactions, which can swap two events of one job).
 */
import type { Election } from './election.ts';

const MOST_AT_ONCE = 2_000;
/** Events that are committed within this time get their positions together: see `place`. */
const PAUSE_MS = 20;
/**
 * A gateway that is not elected tells of new events so often, because a NOTIFY wakes all gateways.
 * For longer than that, the elected one looks by itself for more.
 */
const TELL_EVERY_MS = 400;
const WATCH_MS = 600;
const LOOK_EVERY_MS = 50;

/** The feed's counter, without which `place` has no positions to give. */
export const makeCounter = `insert into streams (job_id, kind, last, first) values ('', 'event', 0, 1) on conflict do nothing`;
/**
 * One statement, so one transaction: a batch costs the same for one event as for a hundred. If
 * another gateway has placed some of the events since they were read, those stay as they are.
 */
const place = `
  /* Sequencer */
  with arrived as (
    select job_id, seq, row_number() over (order by position desc) as n
    from (select job_id, seq, position from events where position < 0 order by position desc limit ${MOST_AT_ONCE}) as next
  ), counter as materialized (
    select last from streams where job_id = '' and kind = 'event' for update
  ), placed as (
    update events set position = counter.last + arrived.n from arrived, counter
    where events.job_id = arrived.job_id and events.seq = arrived.seq and events.position < 0
    returning position
  )
  update streams set last = placed.last from (select max(position) as last from placed) as placed
  where job_id = '' and kind = 'event' and placed.last is not null
  returning (select count(*)::int from placed) as count`;

export class Sequencer {
  readonly #election: Election;
  readonly #onPlaced: () => void;
  #run: Promise<void> | null = null;
  #isWoken = false;
  #watchUntil = 0;
  #tellAfter = 0;
  #isStopped = false;

  constructor(election: Election, onPlaced: () => void) {
    this.#election = election;
    this.#onPlaced = onPlaced;
  }

  /** Events may have arrived. Does nothing unless this gateway is elected. */
  wake(): void {
    this.#isWoken = true;
    if (!this.#isStopped && this.#election.elected) this.#run ??= this.#placeAll();
  }

  /** Events may have arrived from other gateways, and more may follow. */
  watch(): void {
    this.#watchUntil = performance.now() + WATCH_MS;
    this.wake();
  }

  /** Whether a gateway that is not elected has to tell of the events that it has committed. */
  isToBeTold(): boolean {
    const now = performance.now();
    if (now < this.#tellAfter) return false;
    this.#tellAfter = now + TELL_EVERY_MS;
    return true;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#run;
  }

  async #placeAll(): Promise<void> {
    for (let isWatching = true; (this.#isWoken || isWatching) && !this.#isStopped; ) {
      this.#isWoken = false;
      // The last look begins after the watch has ended.
      isWatching = performance.now() < this.#watchUntil;
      const count = await this.#placeSome();
      if (count > 0) this.#onPlaced();
      if (count === MOST_AT_ONCE) this.#isWoken = true;
      else if (count > 0 || isWatching) await new Promise((resolve) => setTimeout(resolve, count > 0 ? PAUSE_MS : LOOK_EVERY_MS));
    }
    this.#run = null;
  }

  /** Returns how many events got a position. */
  async #placeSome(): Promise<number> {
    const client = this.#election.elected;
    try {
      return client ? ((await client.query({ name: 'Sequencer', text: place })).rows[0]?.count ?? 0) : 0;
    } catch {
      // The database is unreachable, or no longer answers: another connection is opened, or another
      // gateway elected. Nothing is lost by waiting.
      await client?.end().catch(() => {});
      return 0;
    }
  }
}
