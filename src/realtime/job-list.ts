/**
 * A live list of jobs: its newest jobs first, then what came into it, changed, or left it.
 *
 * It is read from the feed of events, like any stream, and nothing is kept between two reads. Each
 * job with new events is looked up: it is in the list, or it has left if one of the events may have
 * taken it out. So a subscription can be resumed from any cursor, on any gateway, and subscribers
 * share what was read.
 *
 * A job is looked up later than its event was stored, and may have changed again. Then a later
 * event says so, and the job is looked up again.
 */
import type { Principal } from '../domain/access/principal.ts';
import { type Scope, scopeOf } from '../domain/access/rights.ts';
import { hashOf } from '../domain/access/secrets.ts';
import { decodePlace, encodeCursor, feed, type StreamName } from '../domain/core/cursors.ts';
import type { Domain } from '../domain/core/domain.ts';
import type { JobStatus } from '../domain/core/lifecycle.ts';
import { badRequest } from '../domain/core/request-refusals.ts';
import type { Waker } from '../domain/core/waker.ts';
import type { Optional } from '../store/optional.ts';
import { type JobCondition, type JobFilter, jobCondition, statusesOf } from '../store/queries/job-filter.ts';
import { listJobs, matchingIds, POSITION_ONLY } from '../store/queries/job-lists.ts';
import { readFeedRange } from '../store/queries/ranges.ts';
import { type ListedEvent, readListedEvents, streamBounds } from '../store/queries/streams.ts';
import { feedTopic, type Queries } from '../store/store.ts';
import { type Batch, type Frame, frames } from './frames.ts';
import type { Pulled } from './pull.ts';

/** A job that is in the list and new or changed, or that has left it. */
export interface ListChange {
  readonly id: string;
  readonly isListed: boolean;
}

export interface JobListOf {
  readonly filter: JobFilter;
  /** The list begins with this many of its jobs. */
  readonly newest: number;
  readonly after?: Optional<string>;
}

/** Events read at a time, and jobs of the beginning: they are shown whole. */
const EVENTS_AT_ONCE = 500;
const JOBS_AT_ONCE = 100;

/** A position in the feed, and before it is reached, how much of the beginning is left. */
class ListPlace {
  readonly seq: number;
  /** How many jobs of the beginning are left. */
  readonly left: number;
  /** The last job of the beginning that was read. */
  readonly lastId: string | null;
  constructor(seq: number, left = 0, lastId: string | null = null) {
    this.seq = seq;
    this.left = left;
    this.lastId = lastId;
  }
  get rest(): string {
    return this.left === 0 ? '' : `${this.left}~${this.lastId ?? ''}`;
  }
  toString(): string {
    return `${this.seq}~${this.rest}`;
  }
}

/** The frames of a live list. Throws BAD_REQUEST for a cursor that is not of this list. */
export async function jobList(
  domain: Domain,
  wakeups: Waker,
  principal: Principal,
  { filter, newest, after }: JobListOf,
): Promise<Pulled<Frame<ListChange>>> {
  const scope = scopeOf(principal);
  const stream: StreamName = { kind: 'list', jobId: nameOf(filter, scope) };
  const list = new JobList(domain.store.read, filter, scope);
  return frames<ListChange, ListPlace>(
    domain,
    wakeups,
    {
      cursorOf: ({ seq, rest }) => encodeCursor(domain, { ...stream, seq, rest }),
      name: `jobs ${stream.jobId}`,
      topics: [feedTopic],
      rowsAtMost: EVENTS_AT_ONCE,
      read: (place, rows) => (place.left > 0 ? list.readBeginning(place, Math.min(rows, JOBS_AT_ONCE)) : list.readChanges(place, rows)),
    },
    await startOf(domain, stream, newest, after),
  );
}

/** Names what is listed, so that a cursor of another list is refused. */
function nameOf(filter: JobFilter, scope: Scope): string {
  const conditions = Object.entries(filter).filter(([, value]) => value != null);
  return hashOf(JSON.stringify([conditions.toSorted(([a], [b]) => (a < b ? -1 : 1)), scope])).slice(0, 16);
}

async function startOf(domain: Domain, stream: StreamName, newest: number, after: Optional<string>): Promise<ListPlace> {
  if (after == null) {
    // Read before the list, so that a change in between is sent twice rather than never.
    const [bounds] = await domain.store.read.run(streamBounds, { jobId: feed.jobId, kind: 'event' });
    return new ListPlace(bounds?.last ?? 0, newest);
  }
  const { seq, rest } = await decodePlace(domain, after, stream);
  if (rest === '') return new ListPlace(seq);
  const [, left, lastId] = /^([1-9]\d{0,3})~(\w+)$/.exec(rest) ?? [];
  if (left === undefined || lastId === undefined) throw badRequest.foreignStreamCursor('after');
  return new ListPlace(seq, Number(left), lastId);
}

type Read = Batch<ListChange, ListPlace>;

class JobList {
  readonly #queries: Queries;
  readonly #filter: JobFilter;
  readonly #scope: Scope;
  readonly #where: JobCondition;
  /** The conditions that no change of a job affects. */
  readonly #lasting: JobCondition;

  constructor(queries: Queries, filter: JobFilter, scope: Scope) {
    this.#queries = queries;
    this.#filter = filter;
    this.#scope = scope;
    this.#where = jobCondition(filter, scope);
    const { projectId, experimentId, applicationId, types, initiators, owner, createdAfter, createdBefore } = filter;
    const lasting = { projectId, experimentId, applicationId, types, initiators, owner, createdAfter, createdBefore };
    this.#lasting = this.#where === 'none' ? 'none' : jobCondition(lasting, scope);
  }

  async readBeginning({ seq, left, lastId }: ListPlace, rows: number): Promise<Read> {
    const limit = Math.min(rows, left);
    const slice = { limit: limit + 1, isBackward: false, after: lastId === null ? null : [lastId], before: null };
    const order = { field: 'CREATED_AT', direction: 'DESC' } as const;
    const found = await listJobs(this.#queries, this.#where, order, slice, { choice: POSITION_ONLY });
    const ids = found.slice(0, limit).map(({ id }) => id);
    const hasMore = found.length > limit && left > limit;
    const upTo = hasMore ? new ListPlace(seq, left - limit, ids.at(-1) ?? null) : new ListPlace(seq);
    return { rows: ids.map((id) => ({ id, isListed: true })), read: ids.length, upTo, hasMore, missed: 0, isOver: false };
  }

  async readChanges(place: ListPlace, rows: number): Promise<Read> {
    if (this.#where === 'none') return { rows: [], read: 0, upTo: place, hasMore: false, missed: 0, isOver: false };
    const after = place.seq;
    const projectId = this.#filter.projectId ?? this.#scope.projectId;
    const { jobId } = this.#scope;
    const read = () => readListedEvents(this.#queries, { after, projectId, jobId }, rows);
    const range = await readFeedRange(this.#queries, { after, projectId }, read);
    return {
      rows: await this.#changesOf(range.rows),
      read: range.rows.length,
      upTo: new ListPlace(range.upTo),
      hasMore: range.hasMore,
      // What is missing of other jobs does not concern a key of one job.
      missed: jobId === null ? range.missed : 0,
      isOver: false,
    };
  }

  /** One change for each job of the events, in the order of their newest events. */
  async #changesOf(events: readonly ListedEvent[]): Promise<ListChange[]> {
    const left = new Set<string>();
    const deleted = new Set<string>();
    const ids = new Set<string>();
    for (const event of events) {
      ids.delete(event.jobId);
      ids.add(event.jobId);
      if (event.type === 'JOB_DELETED') deleted.add(event.jobId);
      else if (mayLeave(event, this.#filter)) left.add(event.jobId);
    }
    const listed = await matchingIds(this.#queries, this.#where, [...ids]);
    const gone = await matchingIds(this.#queries, this.#lasting, [...left.difference(listed)]);
    return [...ids].flatMap((id) => {
      if (listed.has(id)) return { id, isListed: true };
      return gone.has(id) || deleted.has(id) ? { id, isListed: false } : [];
    });
  }
}

/** Whether a job that matched the filter may match no more after this event. */
function mayLeave({ type, from }: ListedEvent, filter: JobFilter): boolean {
  const { name, nameContains, search, labels, labelFilters, deviceId } = filter;
  if (type === 'JOB_STATUS_CHANGED') return statusesOf(filter)?.includes(from as JobStatus) ?? false; // a job's event
  if (type === 'JOB_UPDATED') return [name, nameContains, search, labels, labelFilters].some((condition) => condition != null);
  return type === 'STEP_STATUS_CHANGED' && deviceId != null;
}
