/** How many jobs match a condition: together, or by what they have in common. */
import { setImmediate as turn } from 'node:timers/promises';
import { and, asc, count, eq, gt, isNotNull } from 'drizzle-orm';
import type { AnySQLiteColumn } from 'drizzle-orm/sqlite-core';
import { jobStatuses } from '../../domain/core/lifecycle.ts';
import type { Tables } from '../schema/tables.ts';
import { runShaped, type Term } from '../statements/shapes.ts';
import type { Queries } from '../store.ts';
import { equalTerm, isOfStatus, type JobCondition, statusTerm } from './job-filter.ts';
import { inSteps, type Reading } from './job-lists.ts';
import { alternatives } from './job-orders.ts';

/** Jobs counted in one step: some milliseconds of SQLite. */
const STEP = 5_000;

type Signal = Pick<Reading, 'signal'>;

export async function countJobs(queries: Queries, where: JobCondition, { signal }: Signal = {}): Promise<number> {
  if (where === 'none') return 0;
  let sum = 0;
  for (const part of alternatives(where) ?? [where]) {
    // SQLite counts a whole index at once in no time.
    for await (const terms of part.length === 0 ? [part] : inSteps(queries, part, { signal, step: STEP })) {
      const [row] = await runShaped(queries, {
        name: 'count jobs',
        terms,
        build: (db, t, condition) => db.select({ count: count() }).from(t.jobs).where(condition),
      });
      sum += row?.count ?? 0;
    }
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

/** The conditions of those columns that an index of jobs begins with. */
const names: Partial<Record<keyof typeof columns, string>> = {
  OWNER: 'owner',
  DEVICE: 'deviceId',
  APPLICATION: 'applicationId',
  EXPERIMENT: 'experimentId',
  PROJECT: 'projectId',
};

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
  reading: Signal = {},
): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>();
  if (where === 'none') return counts;
  const add = (key: string | null, count: number) => {
    if (key !== null && count > 0) counts.set(key, (counts.get(key) ?? 0) + count);
  };
  const name = names[counted.by];
  if (counted.by === 'STATUS') {
    const given = where.find(isOfStatus);
    const others = where.filter((term) => term !== given);
    for (const term of given?.oneOf ?? (given ? [given] : jobStatuses.map(statusTerm))) {
      add(String(term.values.status), await countJobs(queries, [...others, term], reading));
    }
  } else if (name !== undefined && where.length === 0) {
    for (let value = await nextValue(queries, counted, ''); value !== null; value = await nextValue(queries, counted, value)) {
      reading.signal?.throwIfAborted();
      add(value, await countJobs(queries, [equalTerm(name, value, columns[counted.by])], reading));
      await turn();
    }
  } else {
    for await (const terms of inSteps(queries, where, { ...reading, step: STEP })) {
      for (const { key, count } of await countStep(queries, terms, counted)) add(key, count);
    }
  }
  return counts;
}

/** The next value that any job has: found at once in the index of the column. */
async function nextValue(queries: Queries, { by }: CountedBy, after: string): Promise<string | null> {
  const [row] = await runShaped(queries, {
    name: 'next value',
    variant: by,
    terms: [],
    values: { after },
    build: (db, t, _, $) =>
      db
        .select({ value: textColumn(t, by) })
        .from(t.jobs)
        .where(and(isNotNull(columns[by](t)), gt(columns[by](t), $('after'))))
        .orderBy(asc(columns[by](t)))
        .limit(1),
  });
  return row?.value ?? null;
}

/** Cast: all of the columns are of texts. */
const textColumn = (t: Tables, by: CountedBy['by']): AnySQLiteColumn<{ data: string; notNull: false }> => columns[by](t) as never;

function countStep(
  queries: Queries,
  terms: readonly Term[],
  { by, labelKey }: CountedBy,
): Promise<readonly { key: string | null; count: number }[]> {
  return runShaped(queries, {
    name: 'count jobs by',
    variant: by,
    terms,
    values: labelKey === undefined ? {} : { labelKey },
    build(db, t, condition, $, { unindexed }) {
      const { jobs, jobLabels } = t;
      const key = textColumn(t, by);
      const counted = db.select({ key, count: count() }).from(jobs).$dynamic();
      const labelled =
        by === 'LABEL'
          ? counted.innerJoin(jobLabels, and(eq(jobLabels.jobId, jobs.id), eq(unindexed(jobLabels.key), $('labelKey'))))
          : counted;
      return labelled.where(and(condition, isNotNull(unindexed(key)))).groupBy(unindexed(key));
    },
  });
}
