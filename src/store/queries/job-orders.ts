/** The orders of lists of jobs, and the conditions that an index serves in them. */
import { and, eq, exists, isNotNull, not, type SQL, sql } from 'drizzle-orm';
import type { AnySQLiteColumn } from 'drizzle-orm/sqlite-core';
import type { Tables } from '../schema/tables.ts';
import { finiteKey, instantKey, type Key, numberKey, type Position, textKey } from '../statements/keyset.ts';
import type { AnyPlaceholder, Term } from '../statements/shapes.ts';
import { ONE_JOB } from './job-filter.ts';
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
  /** The columns that `valueIn` reads. */
  readonly columns: readonly (keyof ShownJob)[];
  valueIn(job: ListedJob): string | number | null;
  /** The condition that a job has a value. Jobs without one come last. Undefined: every job has. */
  readonly hasValue?: (t: Tables, $: AnyPlaceholder) => SQL;
}

/** The time from start to end. PostgreSQL has an interval, SQLite a number of milliseconds. */
const durationOf = ({ jobs }: Tables) => sql`(${jobs.finishedAt} - ${jobs.startedAt})`;

export const sortings: Readonly<Record<JobOrder['field'], Sorting>> = {
  CREATED_AT: { columns: [], valueIn: () => null },
  UPDATED_AT: { key: ({ jobs }) => instantKey(jobs.updatedAt), columns: [], valueIn: ({ updatedAt }) => updatedAt.toISOString() },
  PRIORITY: { key: ({ jobs }) => numberKey(jobs.priority), columns: [], valueIn: ({ priority }) => priority },
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

/**
 * The conditions of equality that an index of jobs serves in the order of the list, with the most
 * selective ones first.
 */
const SERVED: Partial<Record<JobOrder['field'], readonly (readonly string[])[]>> = {
  CREATED_AT: [['deviceId'], ['experimentId'], ['name'], ['projectId', 'status'], ['status'], ['owner'], ['applicationId'], ['projectId']],
  UPDATED_AT: [['projectId']],
};

/** A part of a list: the jobs that have a value of its order, or those that have none. */
export interface Part {
  readonly name: 'all' | 'valued' | 'without';
  /** Whether the jobs are joined with the metric of the order. */
  readonly isJoined: boolean;
  /** The conditions of the part itself, which the index of its order serves, or does not. */
  readonly terms: Conditions;
  readonly served: readonly (readonly string[])[];
  keys(t: Tables): readonly Key[];
  /** The position of a job in a list of this part alone. */
  positionOf(job: ListedJob): Position;
  /** A position in the whole list as one in this part. Null: it is in the other part. */
  within(position: Position): Position | null;
}

export function partsOf(order: JobOrder): readonly Part[] {
  const { field } = order;
  const { key, hasValue } = sortings[field];
  const isJoined = field === 'METRIC';
  const keys = (t: Tables) => [...(key ? [key(t)] : []), textKey(isJoined ? t.latestMetrics.jobId : t.jobs.id)];
  const positionOf = (job: ListedJob) => jobPosition(order, job);
  const none: Conditions = { direct: [], rest: [] };
  if (!hasValue) {
    return [{ name: 'all', isJoined, terms: none, served: SERVED[field] ?? [], keys, positionOf, within: (position) => position }];
  }
  return [
    {
      name: 'valued',
      isJoined,
      // A join finds only those that have the metric.
      terms: isJoined ? none : { direct: [{ shape: 'valued', values: {}, condition: hasValue }], rest: [] },
      served: [],
      keys,
      positionOf,
      within: (position) => (position[0] === NO_VALUE ? null : position),
    },
    {
      name: 'without',
      isJoined: false,
      terms: { direct: [], rest: [{ shape: 'without', values: {}, condition: (t, $) => not(hasValue(t, $)) }] },
      served: SERVED.CREATED_AT ?? [],
      keys: ({ jobs }) => [textKey(jobs.id)],
      positionOf: ({ id }) => [id],
      within: ([value, ...id]) => (value === NO_VALUE ? id : null),
    },
  ];
}

/** Conditions that an index serves in the order of a list, and those that rows are checked for. */
export interface Conditions {
  readonly direct: readonly Term[];
  readonly rest: readonly Term[];
}

export function divide({ terms, served }: Pick<Part, 'terms' | 'served'>, where: readonly Term[]): Conditions {
  const has = (name: string) => where.some(({ shape }) => shape === name);
  const names = served.find((combination) => combination.every(has)) ?? [];
  const [direct, rest] = [[...terms.direct], [...terms.rest]];
  for (const term of where) {
    if (term.indexed && names.includes(term.shape)) direct.push(term.indexed);
    else rest.push(term);
  }
  return { direct, rest };
}

/** Whether one job at most can match, so that there is nothing to walk. */
export const isOfOneJob = (where: readonly Term[]): boolean => where.some(({ shape }) => shape === ONE_JOB);

/**
 * Conditions of which exactly one holds where all of these do, each of which an index serves in the
 * order of creation. Null: there are none.
 */
export function alternatives(where: readonly Term[]): readonly (readonly Term[])[] | null {
  const of = { terms: { direct: [], rest: [] }, served: SERVED.CREATED_AT ?? [] };
  for (const term of where) {
    const all = term.oneOf?.map((one) => [...where.filter((other) => other !== term), one]);
    if (all?.every((terms) => divide(of, terms).rest.length === 0)) return all;
  }
  return null;
}
