/** Jobs, by id and in lists. */
import { asc, count, desc, getTableColumns, inArray, type SQL } from 'drizzle-orm';
import type { JobRow, Tables } from '../schema/tables.ts';
import { batch } from '../statements/batch.ts';
import { ALL_COLUMNS, type Choice, forEachChoice, pickColumns } from '../statements/choice.ts';
import { instantKey, type Key, numberKey, type Position, type Slice, textKey } from '../statements/keyset.ts';
import { boundTerm, runShaped } from '../statements/shapes.ts';
import type { Queries } from '../store.ts';
import type { JobCondition } from './job-filter.ts';

/**
 * A job for readers, without `input`: only retryJob needs it, and it would be parsed for each row
 * of a list.
 */
export type ShownJob = Omit<JobRow, 'input'>;

/** Columns that rights and list orders always need. */
const ALWAYS = ['id', 'projectId', 'priority', 'updatedAt'] as const;

function shownColumns(t: Tables, choice: Choice) {
  const { input: _, ...shown } = getTableColumns(t.jobs);
  return pickColumns(shown, choice, ALWAYS);
}

/** Reads the chosen columns of each job. To read another column is a bug: it is undefined. */
export const jobsByIdOf = forEachChoice((choice) =>
  batch<ShownJob>(`jobs by id: ${choice.name}`, (db, t, ids) =>
    db.select(shownColumns(t, choice)).from(t.jobs).where(inArray(t.jobs.id, ids)),
  ),
);
export const jobsById = jobsByIdOf(ALL_COLUMNS);

export interface JobOrder {
  readonly field: 'CREATED_AT' | 'UPDATED_AT' | 'PRIORITY';
  readonly direction: 'ASC' | 'DESC';
}

interface Sorting {
  keys(t: Tables): readonly Key[];
  positionOf(job: ShownJob): Position;
}

/** None of these columns is nullable, and the id breaks ties in order of creation. */
const sortings: Readonly<Record<JobOrder['field'], Sorting>> = {
  CREATED_AT: { keys: ({ jobs }) => [textKey(jobs.id)], positionOf: ({ id }) => [id] },
  UPDATED_AT: {
    keys: ({ jobs }) => [instantKey(jobs.updatedAt), textKey(jobs.id)],
    positionOf: ({ updatedAt, id }) => [updatedAt.toISOString(), id],
  },
  PRIORITY: {
    keys: ({ jobs }) => [numberKey(jobs.priority), textKey(jobs.id)],
    positionOf: ({ priority, id }) => [priority, id],
  },
};

/** The position of a job in a list of this order. */
export const jobPosition = (order: JobOrder, job: ShownJob): Position => sortings[order.field].positionOf(job);

/**
 * A slice of the jobs that match the condition, in the order of the slice, with the chosen columns.
 * Throws UnknownPosition.
 */
export async function listJobs(
  queries: Queries,
  where: JobCondition,
  order: JobOrder,
  slice: Slice,
  choice: Choice = ALL_COLUMNS,
): Promise<readonly ShownJob[]> {
  if (where === 'none') return [];
  const { keys } = sortings[order.field];
  const isAscending = order.direction === 'ASC';
  const bound = { keys, order: order.field + order.direction, isAscending, t: queries.t };
  const walk: (column: Key['column']) => SQL = isAscending === slice.isBackward ? desc : asc;
  return runShaped(queries, {
    name: 'list jobs',
    variant: `${order.field} ${isAscending !== slice.isBackward} ${choice.name}`,
    terms: [...where, ...boundTerm('after', slice.after, bound), ...boundTerm('before', slice.before, bound)],
    values: { limit: slice.limit },
    build: (db, t, condition, $) =>
      db
        .select(shownColumns(t, choice))
        .from(t.jobs)
        .where(condition)
        .orderBy(...keys(t).map(({ column }) => walk(column)))
        .limit($('limit')),
  });
}

export async function countJobs(queries: Queries, where: JobCondition): Promise<number> {
  if (where === 'none') return 0;
  const [row] = await runShaped(queries, {
    name: 'count jobs',
    terms: where,
    build: (db, t, condition) => db.select({ count: count() }).from(t.jobs).where(condition),
  });
  return row?.count ?? 0;
}
