/**
 * Jobs as they are now, and again after each change. Under load, changes in between are skipped:
 * the newest state is sent.
 */

import type { Principal } from '../domain/access/principal.ts';
import { scopeOf } from '../domain/access/rights.ts';
import { topics } from '../domain/core/change.ts';
import { feed } from '../domain/core/cursors.ts';
import type { Domain } from '../domain/core/domain.ts';
import type { Waker } from '../domain/core/waker.ts';
import { type JobCondition, type JobFilter, jobCondition } from '../store/queries/job-filter.ts';
import { listJobs } from '../store/queries/job-lists.ts';
import type { ShownJob } from '../store/queries/jobs.ts';
import { jobsInFeed, streamBounds } from '../store/queries/streams.ts';
import { feedTopic } from '../store/store.ts';
import { pull } from './pull.ts';

/** A live list starts with this many of its newest jobs. */
const SHOWN_AT_FIRST = 100;
const EVENTS_AT_ONCE = 500;
const newestFirst = { field: 'CREATED_AT', direction: 'DESC' } as const;

/** Yields a job now and after each change, until it is deleted. */
export function jobChanges(domain: Domain, wakeups: Waker, jobId: string): AsyncIterableIterator<ShownJob, undefined> {
  const condition = jobCondition({}, { projectId: null, jobId });
  let told: number | null = null;
  return pull<ShownJob>(wakeups, domain.clock, {
    topics: [topics.events(jobId)],
    async look() {
      // Every change of a job is an event. The number of the newest event is read first and serves
      // as the version of the job read after it.
      const [bounds] = await domain.store.read.run(streamBounds, { jobId, kind: 'event' });
      const version = bounds?.last ?? null;
      if (version === null) return { end: true };
      if (version === told) return null;
      const job = await firstJob(domain, condition);
      if (!job) return { end: true };
      told = version;
      return { value: job };
    },
  });
}

/**
 * Yields every job that passes the filter and that the principal sees: the newest ones first, then
 * each job after each change, one at a time.
 */
export async function jobsChanges(
  domain: Domain,
  wakeups: Waker,
  principal: Principal,
  filter: JobFilter,
): Promise<AsyncIterableIterator<ShownJob, undefined>> {
  const scope = scopeOf(principal);
  const { read } = domain.store;
  // The position in the feed is read before the list, so that a change in between is sent twice
  // rather than never.
  const [bounds] = await read.run(streamBounds, { jobId: feed.jobId, kind: 'event' });
  let after = bounds?.last ?? 0;
  const atFirst = await listJobs(read, jobCondition(filter, scope), newestFirst, firstSlice(SHOWN_AT_FIRST));
  // The jobs to send, those that wait longest first. However slow the consumer is, this holds at
  // most one batch of events.
  const waiting = new Set(atFirst.map(({ id }) => id).reverse());
  return pull<ShownJob>(wakeups, domain.clock, {
    topics: [feedTopic],
    async look() {
      for (;;) {
        for (const id of waiting) {
          waiting.delete(id);
          const job = await firstJob(domain, jobCondition(filter, { ...scope, jobId: scope.jobId ?? id }));
          if (job?.id === id) return { value: job };
        }
        const events = await jobsInFeed(read, { after, limit: EVENTS_AT_ONCE, projectId: filter.projectId ?? scope.projectId });
        if (events.length === 0) return null;
        for (const { jobId, position } of events) {
          waiting.add(jobId);
          after = position;
        }
      }
    },
  });
}

async function firstJob({ store }: Domain, condition: JobCondition): Promise<ShownJob | undefined> {
  const [job] = await listJobs(store.read, condition, newestFirst, firstSlice(1));
  return job;
}

const firstSlice = (limit: number) => ({ after: null, before: null, isBackward: false, limit });
