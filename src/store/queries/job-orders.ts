/** The orders of lists of jobs, and the conditions that an index serves in them. */
import { and, eq, exists, isNotNull, not, type SQL, sql } from 'drizzle-orm';
import type { AnySQLiteColumn } from 'drizzle-orm/sqlite-core';
import type { Tables } from '../schema/tables.ts';
import { finiteKey, instantKey, type Key, numberKey, type Position, textKey } from '../statements/keyset.ts';
import type { AnyPlaceholder, Term } from '../statements/shapes.ts';
import { isNewest, type JobTerm, ONE_JOB, type Source } from './job-filter.ts';
import type { ShownJob } from './jobs.ts';

export interface JobOrder {
  readonly field: 'CREATED_AT' | 'UPDATED_AT' | 'PRIORITY' | 'NAME' | 'STARTED_AT' | 'FINISHED_AT' | 'DURATION' | 'METRIC';
  readonly direction: 'ASC' | 'DESC';
  /** For METRIC: its name. */
  readonly metric?: string;
}

export const OLDEST_FIRST: JobOrder = { field: 'CREATED_AT', direction: 'ASC' };

/** A job in a list. */
export interface ListedJob extends ShownJob {
  /** In the order of a metric: the newest value that the job reported. */
  readonly metricValue?: number;
}

interface Sorting {
  /** The key that jobs are ordered by before their id. Undefined: by the id alone. */
  readonly key?: (t: Tables) => Key;
  /** The columns that `valueIn` reads, if they are columns of jobs. */
  readonly columns: readonly (keyof ShownJob)[];
  valueIn(job: ListedJob): string | number | null;
  /** The condition that a job has a value. Jobs without one come last. Undefined: every job has. */
  readonly hasValue?: (t: Tables, $: AnyPlaceholder) => SQL;
}

/** The time from start to end. PostgreSQL has an interval, SQLite a number of milliseconds. */
const durationOf = ({ jobs }: Tables) => sql`(${jobs.finishedAt} - ${jobs.startedAt})`;

export const sortings: Readonly<Record<JobOrder['field'], Sorting>> = {
  CREATED_AT: { columns: [], valueIn: () => null },
  UPDATED_AT: {
    key: ({ jobs }) => instantKey(jobs.updatedAt),
    columns: ['updatedAt'],
    valueIn: ({ updatedAt }) => updatedAt.toISOString(),
  },
  PRIORITY: { key: ({ jobs }) => numberKey(jobs.priority), columns: ['priority'], valueIn: ({ priority }) => priority },
  NAME: { key: ({ jobs }) => textKey(jobs.name), columns: ['name'], valueIn: ({ name }) => name },
  STARTED_AT: {
    key: ({ jobs }) => instantKey(jobs.startedAt),
    columns: ['startedAt'],
    valueIn: ({ startedAt }) => startedAt?.toISOString() ?? null,
    hasValue: ({ jobs }) => isNotNull(jobs.startedAt),
  },
  FINISHED_AT: {
    key: ({ jobs }) => instantKey(jobs.finishedAt),
    columns: ['finishedAt'],
    valueIn: ({ finishedAt }) => finishedAt?.toISOString() ?? null,
    hasValue: ({ jobs }) => isNotNull(jobs.finishedAt),
  },
  DURATION: {
    // Cast: a condition and an order take any SQL where they take a column.
    key: (t) => ({ ...finiteKey(durationOf(t) as unknown as AnySQLiteColumn), bind: (value, dialect) => dialect.span(value) }),
    columns: ['startedAt', 'finishedAt'],
    valueIn: ({ startedAt, finishedAt }) => (startedAt && finishedAt ? finishedAt.getTime() - startedAt.getTime() : null),
    hasValue: ({ jobs }) => sql`${jobs.finishedAt} - ${jobs.startedAt} is not null`,
  },
  METRIC: {
    key: ({ latestMetrics }) => finiteKey(latestMetrics.value),
    columns: [],
    valueIn: ({ metricValue = null }) => metricValue,
    hasValue: (t, $) => exists(sql`(select 1 from ${t.latestMetrics} where ${isMetricOf(t, $)})`),
  },
};

const isMetricOf = ({ latestMetrics: latest, jobs }: Tables, $: AnyPlaceholder) =>
  and(eq(latest.jobId, jobs.id), eq(latest.name, $('orderedMetric')));

/** Stands in a position for the value of a job that has none. */
const NO_VALUE = 'none';

/** The position of a job in a list of this order. */
export function jobPosition({ field }: JobOrder, job: ListedJob): Position {
  const { key, valueIn } = sortings[field];
  return key ? [valueIn(job) ?? NO_VALUE, job.id] : [job.id];
}

/** A part of a list: the jobs that have a value of its order, or those that have none. */
export interface Part {
  readonly name: 'all' | 'valued' | 'without';
  /** Whether it is in the order of the jobs' ids, which is that of their creation. */
  readonly isById: boolean;
  /** What the part is read along. Null: jobs. */
  readonly source: Source | null;
  /** The conditions of the part itself, which the index of its order serves, or does not. */
  readonly terms: Pick<Way, 'direct' | 'rest'>;
  keys(t: Tables): readonly Key[];
  /** The position of a job in a list of this part alone. */
  positionOf(job: ListedJob): Position;
  /** A position in the whole list as one in this part. Null: it is in the other part. */
  within(position: Position): Position | null;
}

/** The newest values of the metric of an order. */
const METRIC_SOURCE: Source = {
  shape: 'along orderedMetric',
  values: {},
  table: (t) => t.latestMetrics,
  condition: (t, $) => and(eq(t.latestMetrics.name, $('orderedMetric')), isNewest(t)),
};

export function partsOf(order: JobOrder): readonly Part[] {
  const { field } = order;
  const { key, hasValue } = sortings[field];
  const source = field === 'METRIC' ? METRIC_SOURCE : null;
  const keys = (t: Tables) => [...(key ? [key(t)] : []), textKey(source ? source.table(t).jobId : t.jobs.id)];
  const positionOf = (job: ListedJob) => jobPosition(order, job);
  const none = { direct: [], rest: [] };
  if (!hasValue) return [{ name: 'all', isById: !key, source, terms: none, keys, positionOf, within: (position) => position }];
  return [
    {
      name: 'valued',
      isById: false,
      source,
      // Along a metric, there are only those that have it.
      terms: source ? none : { direct: [{ shape: 'valued', values: {}, condition: hasValue }], rest: [] },
      keys,
      positionOf,
      within: (position) => (position[0] === NO_VALUE ? null : position),
    },
    {
      name: 'without',
      isById: true,
      source: null,
      terms: { direct: [], rest: [{ shape: 'without', values: {}, condition: (t, $) => not(hasValue(t, $)) }] },
      keys: ({ jobs }) => [textKey(jobs.id)],
      positionOf: ({ id }) => [id],
      within: ([value, ...id]) => (value === NO_VALUE ? id : null),
    },
  ];
}

/** A way to read a part, in its order. */
export interface Way {
  /** Null: the part's own. */
  readonly source: Source | null;
  /** The conditions that the index of the way serves. */
  readonly direct: readonly Term[];
  /** Those that each row is checked for. */
  readonly rest: readonly Term[];
}

/** The conditions that an index of jobs serves in an order, by the names of their terms. */
const SERVED: Partial<Record<JobOrder['field'], readonly (readonly string[])[]>> = {
  CREATED_AT: [
    ['deviceId'],
    ['experimentId'],
    ['name'],
    ['projectId', 'status'],
    ['status'],
    ['type'],
    ['initiator'],
    ['owner'],
    ['applicationId'],
    ['projectId'],
  ],
  UPDATED_AT: [['projectId']],
};

/** Labels and metrics come after these, which usually leave fewer jobs. */
const MOST_SELECTIVE = 3;

/**
 * The ways to read the jobs that meet all conditions, with the one that usually leaves the fewest
 * first. The last one is the order itself.
 */
export function waysOf(field: JobOrder['field'], part: Part, where: readonly JobTerm[]): readonly [Way, ...Way[]] {
  const { terms, isById } = part;
  const served = SERVED[isById ? 'CREATED_AT' : field] ?? [];
  const byIndex = served.flatMap((names): Way[] => {
    const found = where.filter(({ shape, indexed }) => indexed && names.includes(shape));
    if (found.length < names.length) return [];
    return [
      {
        source: null,
        direct: [...terms.direct, ...found.flatMap(({ indexed }) => indexed ?? [])],
        rest: [...terms.rest, ...where.filter((term) => !found.includes(term))],
      },
    ];
  });
  const bySource = where.flatMap((term): Way[] =>
    isById && term.source
      ? [{ source: term.source, direct: terms.direct, rest: [...terms.rest, ...where.filter((other) => other !== term)] }]
      : [],
  );
  const selective = served.slice(0, MOST_SELECTIVE).flat();
  const first = byIndex.filter(({ rest }) => where.some((term) => selective.includes(term.shape) && !rest.includes(term)));
  const own: Way = { source: null, direct: terms.direct, rest: [...terms.rest, ...where] };
  const [best = own, ...others] = [...first, ...bySource, ...byIndex.filter((way) => !first.includes(way)), own];
  return [best, ...others];
}

/** Whether one job at most can match, so that there is nothing to walk. */
export const isOfOneJob = (where: readonly Term[]): boolean => where.some(({ shape }) => shape === ONE_JOB);

/** The part of a list in the order of creation. */
export function byCreation(order: JobOrder): Part {
  const [part] = partsOf(order);
  if (!part) throw new Error('Every list has a part.');
  return part;
}

/**
 * Conditions of which exactly one holds where all of these do, each of which an index serves in the
 * order of creation. Null: there are none.
 */
export function alternatives(where: readonly JobTerm[]): readonly (readonly JobTerm[])[] | null {
  const part = byCreation(OLDEST_FIRST);
  for (const term of where) {
    const all = term.oneOf?.map((one) => [...where.filter((other) => other !== term), one]);
    if (all?.every((terms) => waysOf('CREATED_AT', part, terms)[0].rest.length === 0)) return all;
  }
  return null;
}
