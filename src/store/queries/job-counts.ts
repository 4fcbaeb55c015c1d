/** How many jobs match a condition: together, or by what they have in common. */
import { and, count, eq, isNotNull } from 'drizzle-orm';
import type { AnySQLiteColumn } from 'drizzle-orm/sqlite-core';
import { jobStatuses } from '../../domain/core/lifecycle.ts';
import type { Tables } from '../schema/tables.ts';
import { runShaped, type Term } from '../statements/shapes.ts';
import type { Queries } from '../store.ts';
import { equalTerm, type JobCondition } from './job-filter.ts';
import { inSteps, type Reading } from './job-lists.ts';

/** Jobs counted in one step: some milliseconds of SQLite. */
const STEP = 5_000;

export async function countJobs(queries: Queries, where: JobCondition, { signal }: Pick<Reading, 'signal'> = {}): Promise<number> {
  if (where === 'none') return 0;
  let sum = 0;
  for await (const terms of where.some(({ walks }) => walks) ? inSteps(queries, where, { signal }) : [where]) {
    const [row] = await runShaped(queries, {
      name: 'count jobs',
      terms,
      build: (db, t, condition) => db.select({ count: count() }).from(t.jobs).where(condition),
    });
    sum += row?.count ?? 0;
  }
  return sum;
}

/** What jobs are counted by: a column of theirs, or the value of a label. */
const columns = {
  STATUS: ({ jobs }: Tables) => jobs.status,
  TYPE: ({ jobs }: Tables) => jobs.type,
  OWNER: ({ jobs }: Tables) => jobs.owner,
  DEVICE: ({ jobs }: Tables) => jobs.deviceId,
  APPLICATION: ({ jobs }: Tables) => jobs.applicationId,
  EXPERIMENT: ({ jobs }: Tables) => jobs.experimentId,
  PROJECT: ({ jobs }: Tables) => jobs.projectId,
  LABEL: ({ jobLabels }: Tables) => jobLabels.value,
} as const satisfies Record<string, (t: Tables) => AnySQLiteColumn>;

export interface CountedBy {
  readonly by: keyof typeof columns;
  /** For LABEL: its key. */
  readonly labelKey?: string;
}

/** Of each value that any of the jobs has: how many have it. Jobs without one are not counted. */
export async function countJobsBy(
  queries: Queries,
  where: JobCondition,
  counted: CountedBy,
  { signal }: Pick<Reading, 'signal'> = {},
): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>();
  if (where === 'none') return counts;
  // Each status by itself, so that an index serves its steps.
  const parts = counted.by === 'STATUS' ? jobStatuses.map((status) => [...where, ofStatus(status)]) : [where];
  for (const part of parts) {
    for await (const terms of inSteps(queries, part, { signal, step: STEP })) {
      for (const { key, count } of await countStep(queries, terms, counted)) {
        if (key !== null) counts.set(key, (counts.get(key) ?? 0) + count);
      }
    }
  }
  return counts;
}

const ofStatus = (status: string): Term => equalTerm('countedStatus', status, (t) => t.jobs.status);

function countStep(
  queries: Queries,
  terms: readonly Term[],
  { by, labelKey }: CountedBy,
): Promise<readonly { key: string | null; count: number }[]> {
  const columnOf = (t: Tables): AnySQLiteColumn<{ data: string; notNull: false }> => columns[by](t) as never; // all are of texts
  return runShaped(queries, {
    name: 'count jobs by',
    variant: by,
    terms,
    values: labelKey === undefined ? {} : { labelKey },
    build(db, t, condition, $) {
      const { jobs, jobLabels } = t;
      const key = columnOf(t);
      const counted = db.select({ key, count: count() }).from(jobs).$dynamic();
      const labelled =
        by === 'LABEL' ? counted.innerJoin(jobLabels, and(eq(jobLabels.jobId, jobs.id), eq(jobLabels.key, $('labelKey')))) : counted;
      return labelled.where(and(condition, isNotNull(key))).groupBy(key);
    },
  });
}
