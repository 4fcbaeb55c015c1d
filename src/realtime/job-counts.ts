/** Counts of jobs, now and after changes. Under load, the newest state is sent. */
import type { Principal } from '../domain/access/principal.ts';
import { scopeOf } from '../domain/access/rights.ts';
import type { Clock } from '../domain/core/clock.ts';
import type { Domain } from '../domain/core/domain.ts';
import type { Waker } from '../domain/core/waker.ts';
import { type CountedBy, countJobsBy } from '../store/queries/job-counts.ts';
import { type JobFilter, jobCondition } from '../store/queries/job-filter.ts';
import { feedTopic } from '../store/store.ts';
import { type Pulled, pull } from './pull.ts';
import { type Shared, watch } from './shared-reads.ts';

/** A subscriber is told at most a few times a second. */
const SHORTEST_PAUSE_MS = 300;
/**
 * The pause after a count, as a multiple of its time: a fifth of the time is for counting again,
 * however many different counts are watched.
 */
const PAUSE = 4;

/** How many jobs have a value, the most frequent value first. */
export type Counts = readonly (readonly [key: string, count: number])[];

/** Yields the counts now, and again when they have changed. */
export function jobCountChanges(
  domain: Domain,
  wakeups: Waker,
  principal: Principal,
  { filter, counted }: { readonly filter: JobFilter; readonly counted: CountedBy },
): Pulled<Counts> {
  const { clock, store } = domain;
  const scope = scopeOf(principal);
  const where = jobCondition(filter, scope);
  const name = `job counts ${JSON.stringify([filter, counted, scope])}`;
  const count = async () => ranked(await countJobsBy(store.read, where, counted));
  const turns = turnsOf(wakeups, clock);
  let shared: Shared | undefined;
  let told: string | null = null;
  let notBefore = Number.NEGATIVE_INFINITY;
  return pull<Counts>(wakeups, clock, {
    topics: [feedTopic],
    async look() {
      await reach(clock, notBefore);
      // Only who has counts already waits for a turn.
      const counts = await (told === null ? (shared?.read('', count) ?? count()) : turns.take(name, count));
      notBefore = clock.elapsed() + SHORTEST_PAUSE_MS;
      const now = JSON.stringify(counts);
      if (now === told) return null;
      told = now;
      return { value: counts };
    },
    join() {
      const joined = watch(wakeups, clock, name, [feedTopic]);
      shared = joined;
      return () => joined.leave();
    },
  });
}

/** The most frequent first. */
export const ranked = (counts: ReadonlyMap<string, number>): Counts =>
  [...counts].sort(([a, most], [b, more]) => more - most || (a < b ? -1 : 1));

/** Counts one after another, with pauses. */
class Turns {
  readonly #clock: Clock;
  /** Counts that have not begun, by name. They see all that was committed before they begin. */
  readonly #waiting = new Map<string, Promise<Counts>>();
  #last: Promise<unknown> = Promise.resolve();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Subscribers that wait for the same count get one. */
  take(name: string, count: () => Promise<Counts>): Promise<Counts> {
    const known = this.#waiting.get(name);
    if (known) return known;
    const turn = this.#last.then(() => this.#run(name, count));
    const counts = turn.then(({ counts }) => counts);
    this.#waiting.set(name, counts);
    this.#last = turn.then(
      ({ took }) => reach(this.#clock, this.#clock.elapsed() + PAUSE * took),
      () => {},
    );
    return counts;
  }

  async #run(name: string, count: () => Promise<Counts>) {
    this.#waiting.delete(name);
    const startedAt = this.#clock.elapsed();
    return { counts: await count(), took: this.#clock.elapsed() - startedAt };
  }
}

const allTurns = new WeakMap<Waker, Turns>();

/** Those of a gateway. */
function turnsOf(wakeups: Waker, clock: Clock): Turns {
  const turns = allTurns.get(wakeups) ?? new Turns(clock);
  allTurns.set(wakeups, turns);
  return turns;
}

function reach(clock: Clock, moment: number): Promise<void> {
  const wait = moment - clock.elapsed();
  return wait <= 0 ? Promise.resolve() : new Promise((resolve) => void clock.after(wait, resolve));
}
