/** Pages of lists of jobs. */
import { setImmediate as turn } from 'node:timers/promises';
import { and, asc, desc, eq, type SQL, sql } from 'drizzle-orm';
import type { Tables } from '../schema/tables.ts';
import { ALL_COLUMNS, type Choice, chooseColumns } from '../statements/choice.ts';
import type { Key, Position, Slice } from '../statements/keyset.ts';
import { boundTerm, runShaped, type Term } from '../statements/shapes.ts';
import type { Preparable, Queries } from '../store.ts';
import { idsTerm, type JobCondition, MOST_IDS } from './job-filter.ts';
import {
  alternatives,
  type Conditions,
  divide,
  isOfOneJob,
  type JobOrder,
  type ListedJob,
  OLDEST_FIRST,
  type Part,
  partsOf,
  sortings,
} from './job-orders.ts';
import { shownColumns } from './jobs.ts';

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
