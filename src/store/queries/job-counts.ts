/** How many jobs match a condition: together, or by what they have in common. */
import { and, asc, count, eq, gt, isNotNull } from 'drizzle-orm';
import { type AnySQLiteColumn, alias } from 'drizzle-orm/sqlite-core';
import { jobStatuses } from '../../domain/core/lifecycle.ts';
import { jobTypes } from '../../domain/core/vocabulary.ts';
import { USUAL_TYPE } from '../schema/jobs.ts';
import type { Tables } from '../schema/tables.ts';
import { runShaped } from '../statements/shapes.ts';
import type { Queries } from '../store.ts';
import { isOfStatus, type JobCondition, statusTerm, typeTerm } from './job-filter.ts';
import { inSteps, type Reading, selectAlong, termsOf } from './job-lists.ts';
import { alternatives, type Way } from './job-orders.ts';

/** Jobs counted in one step. */
const STEP = 20_000;
/** Different values counted at once. */
const VALUES_AT_ONCE = 100;

const ALL: Way = { source: null, direct: [], rest: [] };

type Signal = Pick<Reading, 'signal'>;

export async function countJobs(queries: Queries, where: JobCondition, { signal }: Signal = {}): Promise<number> {
  if (where === 'none') return 0;
  let sum = 0;
  for (const part of alternatives(where) ?? [where]) {
    // Without a condition, the database counts the entries of an index.
    for await (const way of part.length === 0 ? [ALL] : inSteps(queries, part, { signal, size: STEP })) {
      const [row] = await runShaped(queries.walks ?? queries, {
        name: 'count jobs',
        terms: termsOf(way),
        build: (db, t, condition) => selectAlong(db, { count: count() }, t, way.source).where(condition),
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
} as const satisfies Record<string, (t: Tables) => AnySQLiteColumn>;

/** The columns that an index of jobs begins with. */
const indexed = ['OWNER', 'DEVICE', 'APPLICATION', 'EXPERIMENT', 'PROJECT'] as const satisfies (keyof typeof columns)[];
type Indexed = (typeof indexed)[number];
const isIndexed = (by: CountedBy['by']): by is Indexed => indexed.some((one) => one === by);

type Groups = readonly { readonly key: string | null; readonly count: number }[];

export interface CountedBy {
  readonly by: keyof typeof columns | 'LABEL';
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
  const { by } = counted;
  if (by === 'STATUS') {
    const given = where.find(isOfStatus);
    const others = where.filter((term) => term !== given);
    for (const term of given?.oneOf ?? (given ? [given] : jobStatuses.map(statusTerm))) {
      add(String(term.values.status), await countJobs(queries, [...others, term], reading));
    }
  } else if (by === 'TYPE' && where.length === 0) {
    // The index has no jobs of the usual type: they are the others.
    let others = await countJobs(queries, [], reading);
    for (const type of jobTypes.filter((one) => one !== USUAL_TYPE)) {
      const ofType = await countJobs(queries, [typeTerm(type)], reading);
      add(type, ofType);
      others -= ofType;
    }
    add(USUAL_TYPE, others);
  } else if (isIndexed(by) && where.length === 0) {
    for (let after: string | null = ''; after !== null; ) {
      reading.signal?.throwIfAborted();
      const groups = await countNextValues(queries.walks ?? queries, by, after);
      for (const { key, count } of groups) add(key, count);
      after = groups.length < VALUES_AT_ONCE ? null : (groups.at(-1)?.key ?? null);
    }
  } else {
    for await (const way of inSteps(queries, where, { ...reading, size: STEP })) {
      for (const { key, count } of await countStep(queries.walks ?? queries, way, counted)) add(key, count);
    }
  }
  return counts;
}

/** The next values that any job has, each with its jobs: counted in the index of the column. */
function countNextValues(queries: Queries, by: Indexed, after: string): Promise<Groups> {
  return runShaped(queries, {
    name: 'count next values',
    variant: by,
    terms: [],
    values: { after },
    build: (db, t, _, $) => {
      const key = textColumn(t, by);
      return db
        .select({ key, count: count() })
        .from(t.jobs)
        .where(and(isNotNull(key), gt(key, $('after'))))
        .groupBy(key)
        .orderBy(asc(key))
        .limit(VALUES_AT_ONCE);
    },
  });
}

/** Cast: all of the columns are of texts. */
const textColumn = (t: Tables, by: keyof typeof columns): AnySQLiteColumn<{ data: string; notNull: false }> => columns[by](t) as never;

function countStep(queries: Queries, way: Way, { by, labelKey }: CountedBy): Promise<Groups> {
  return runShaped(queries, {
    name: 'count jobs by',
    variant: by,
    terms: termsOf(way),
    values: labelKey === undefined ? {} : { labelKey },
    build(db, t, condition, $, { unindexed }) {
      // Named apart: the jobs may be read along their labels.
      const counted = alias(t.jobLabels, 'counted');
      const key = by === 'LABEL' ? counted.value : textColumn(t, by);
      const rows = selectAlong(db, { key, count: count() }, t, way.source);
      const labelled =
        by === 'LABEL' ? rows.innerJoin(counted, and(eq(counted.jobId, t.jobs.id), eq(unindexed(counted.key), $('labelKey')))) : rows;
      return labelled.where(and(condition, isNotNull(unindexed(key)))).groupBy(unindexed(key));
    },
  });
}
