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

/** Jobs are counted at most a few times a second. */
const SHORTEST_PAUSE_MS = 300;
/** The pause after a count, as a multiple of its time: a tenth of the time is for counting. */
const PAUSE = 9;

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
  let shared: Shared | undefined;
  let told: string | null = null;
  let notBefore = Number.NEGATIVE_INFINITY;
  return pull<Counts>(wakeups, clock, {
    topics: [feedTopic],
    async look() {
      await reach(clock, notBefore);
      const count = async () => ranked(await countJobsBy(store.read, where, counted));
      const startedAt = clock.elapsed();
      const counts = await (shared?.read('', count) ?? count());
      const took = clock.elapsed() - startedAt;
      notBefore = clock.elapsed() + Math.max(SHORTEST_PAUSE_MS, PAUSE * took);
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

function reach(clock: Clock, moment: number): Promise<void> {
  const wait = moment - clock.elapsed();
  return wait <= 0 ? Promise.resolve() : new Promise((resolve) => void clock.after(wait, resolve));
}
