/** Lists of jobs: their orders and their pages. */
import { setImmediate as turn } from 'node:timers/promises';
import { and, asc, desc, eq, exists, isNotNull, not, type SQL, sql } from 'drizzle-orm';
import type { AnySQLiteColumn } from 'drizzle-orm/sqlite-core';
import type { Tables } from '../schema/tables.ts';
import { ALL_COLUMNS, type Choice, chooseColumns } from '../statements/choice.ts';
import { finiteKey, instantKey, type Key, numberKey, type Position, type Slice, textKey } from '../statements/keyset.ts';
import { type AnyPlaceholder, boundTerm, runShaped, type Term } from '../statements/shapes.ts';
import type { Preparable, Queries } from '../store.ts';
import { idsTerm, type JobCondition, MOST_IDS, ONE_JOB } from './job-filter.ts';
import { type ShownJob, shownColumns } from './jobs.ts';

export interface JobOrder {
  readonly field: 'CREATED_AT' | 'UPDATED_AT' | 'PRIORITY' | 'NAME' | 'STARTED_AT' | 'FINISHED_AT' | 'DURATION' | 'METRIC';
  readonly direction: 'ASC' | 'DESC';
  /** For METRIC: its name. */
  readonly metric?: string;
}

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

const sortings: Readonly<Record<JobOrder['field'], Sorting>> = {
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
interface Part {
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

function partsOf(order: JobOrder): readonly Part[] {
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
interface Conditions {
  readonly direct: readonly Term[];
  readonly rest: readonly Term[];
}

function divide({ terms, served }: Pick<Part, 'terms' | 'served'>, where: readonly Term[]): Conditions {
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
const isOfOneJob = (where: readonly Term[]): boolean => where.some(({ shape }) => shape === ONE_JOB);

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

/**
 * Jobs looked at in one step of a walk: a few milliseconds of SQLite, after which other work gets
 * its turn.
 */
const STEP = 1_000;
/** Jobs sorted at once: as many milliseconds. */
const MOST_SORTED = 3_000;

/** What a list is read with. */
export interface Reading {
  readonly choice?: Choice;
  /** Aborted when nobody waits for the list any more: a long walk ends. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * A slice of the jobs that match the condition, in the order of the slice, with the chosen columns.
 * Throws UnknownPosition.
 */
export async function listJobs(
  queries: Queries,
  where: JobCondition,
  order: JobOrder,
  slice: Slice,
  { choice = ALL_COLUMNS, signal }: Reading = {},
): Promise<readonly ListedJob[]> {
  if (where === 'none') return [];
  const parts = partsOf(order);
  const found: ListedJob[] = [];
  for (const part of slice.isBackward ? parts.toReversed() : parts) {
    const [after, before] = [slice.after && part.within(slice.after), slice.before && part.within(slice.before)];
    // The slice begins in a later part, or ends in an earlier one.
    if (slice.after && !after && part.name === 'valued') continue;
    if (slice.before && !before && part.name === 'without') continue;
    const limit = slice.limit - found.length;
    if (limit > 0) found.push(...(await readPart({ queries, order, part, where, choice, signal }, { ...slice, after, before, limit })));
  }
  return found;
}

interface PartOf extends Reading {
  readonly queries: Queries;
  readonly order: JobOrder;
  readonly part: Part;
  readonly where: readonly Term[];
}

/** Reads a slice of a part. If a condition has no index, the part is walked step by step. */
async function readPart(of: PartOf, slice: Slice): Promise<readonly ListedJob[]> {
  const { direct, rest: checked } = divide(of.part, of.where);
  const terms = [...direct, ...checked];
  if (checked.length === 0 || isOfOneJob(of.where)) return select(of, terms, slice);
  const all = of.order.field === 'CREATED_AT' ? alternatives(of.where) : null;
  if (all) {
    const lists = await Promise.all(all.map((where) => select(of, divide(of.part, where).direct, slice)));
    const sign = (of.order.direction === 'ASC') === slice.isBackward ? -1 : 1;
    return lists
      .flat()
      .sort((a, b) => (a.id < b.id ? -sign : sign))
      .slice(0, slice.limit);
  }
  const few = await fewOf(of);
  if (few) return select(of, [...of.part.terms.direct, ...of.part.terms.rest, ...few.direct, ...few.rest], slice);
  const found: ListedJob[] = [];
  for (let from = slice.isBackward ? slice.before : slice.after; ; ) {
    of.signal?.throwIfAborted();
    const rest: Slice = { ...slice, ...(slice.isBackward ? { before: from } : { after: from }) };
    const [last] = await select({ ...of, choice: POSITION_ONLY }, direct, { ...rest, limit: 1 }, STEP - 1);
    const end = last ? of.part.positionOf(last) : null;
    const limit = slice.limit - found.length;
    const ending = boundTerm({ name: 'end', side: slice.isBackward ? 'after' : 'before', isIncluded: true }, end, listOf(of));
    found.push(...(await select(of, [...terms, ...ending], { ...rest, limit })));
    if (found.length === slice.limit || end === null) return found;
    from = end;
    await turn();
  }
}

/**
 * The conditions of a list in another order than creation's, if few jobs meet those that an index
 * serves: they are read by it and sorted. Null: there may be many.
 */
async function fewOf({ queries, part, where }: PartOf): Promise<Conditions | null> {
  const [byCreation] = partsOf(OLDEST_FIRST);
  if (!byCreation || part.served === byCreation.served) return null;
  const conditions = divide(byCreation, where);
  if (conditions.direct.length === 0) return null;
  const of: PartOf = { queries, order: OLDEST_FIRST, part: byCreation, where, choice: POSITION_ONLY };
  const [more] = await select(of, conditions.direct, { after: null, before: null, isBackward: false, limit: 1 }, MOST_SORTED);
  return more ? null : conditions;
}
const OLDEST_FIRST: JobOrder = { field: 'CREATED_AT', direction: 'ASC' };

export const POSITION_ONLY = chooseColumns(['id']);

const listOf = ({ queries: { t }, order: { field, direction }, part }: PartOf) => ({
  keys: part.keys,
  order: `${field}${direction}${part.name}`,
  isAscending: direction === 'ASC',
  t,
});

function select(of: PartOf, terms: readonly Term[], slice: Slice, offset = 0): Promise<ListedJob[]> {
  const { queries, order, part, choice = ALL_COLUMNS } = of;
  const list = listOf(of);
  const walk: (column: Key['column']) => SQL = list.isAscending === slice.isBackward ? desc : asc;
  return runShaped(queries, {
    name: 'list jobs',
    variant: `${order.field} ${list.isAscending !== slice.isBackward} ${part.name} ${choice.name}`,
    terms: [
      ...terms,
      ...boundTerm({ name: 'after', side: 'after' }, slice.after, list),
      ...boundTerm({ name: 'before', side: 'before' }, slice.before, list),
    ],
    values: { limit: slice.limit, offset, ...(order.metric === undefined ? {} : { orderedMetric: order.metric }) },
    build(db, t, condition, $): Preparable<ListedJob[]> {
      const columns = shownColumns(t, choice, sortings[order.field].columns);
      const by = part.keys(t).map(({ column }) => walk(column));
      const { jobs, latestMetrics: latest } = t;
      if (!part.isJoined) {
        const rows = db.select(columns).from(jobs).where(condition);
        return rows
          .orderBy(...by)
          .limit($('limit'))
          .offset($('offset'));
      }
      const rows = db
        .select({ ...columns, metricValue: latest.value })
        .from(latest)
        .innerJoin(jobs, eq(jobs.id, latest.jobId))
        .where(and(eq(latest.name, $('orderedMetric')), isNewest(t), condition));
      return rows
        .orderBy(...by)
        .limit($('limit'))
        .offset($('offset'));
    },
  });
}

/** Of the values of a metric that several steps of a job reported, the last. */
function isNewest({ latestMetrics: latest }: Tables): SQL {
  const newer = sql`select 1 from ${latest} as newer
    where newer.job_id = ${latest.jobId} and newer.name = ${latest.name} and newer.seq > ${latest.seq}`;
  return sql`not exists (${newer})`;
}

/** Those of the jobs that match the condition. */
export async function matchingIds(queries: Queries, where: JobCondition, ids: readonly string[]): Promise<Set<string>> {
  const found = new Set<string>();
  if (where === 'none') return found;
  for (let i = 0; i < ids.length; i += MOST_IDS) {
    const rows = await runShaped(queries, {
      name: 'matching jobs',
      terms: [...where, idsTerm(ids.slice(i, i + MOST_IDS))],
      build: (db, t, condition) => db.select({ id: t.jobs.id }).from(t.jobs).where(condition),
    });
    for (const { id } of rows) found.add(id);
  }
  return found;
}

/**
 * Conditions that together match what `where` does, each only some of it: about as many jobs as a
 * step looks at. Between them, other work gets its turn.
 */
export async function* inSteps(
  queries: Queries,
  where: readonly Term[],
  { signal, step = STEP }: Pick<Reading, 'signal'> & { readonly step?: number } = {},
): AsyncGenerator<readonly Term[]> {
  const order = OLDEST_FIRST;
  const [part] = partsOf(order);
  if (!part) return;
  const of: PartOf = { queries, order, part, where, choice: POSITION_ONLY };
  const { direct, rest } = divide(part, where);
  const terms = [...direct, ...rest];
  if (isOfOneJob(where)) return yield terms;
  for (let after: Position | null = null; ; await turn()) {
    signal?.throwIfAborted();
    const [last]: readonly ListedJob[] = await select(of, direct, { after, before: null, isBackward: false, limit: 1 }, step - 1);
    const end: Position | null = last ? part.positionOf(last) : null;
    const list = listOf(of);
    yield [
      ...terms,
      ...boundTerm({ name: 'after', side: 'after' }, after, list),
      ...boundTerm({ name: 'end', side: 'before', isIncluded: true }, end, list),
    ];
    if (end === null) return;
    after = end;
  }
}
