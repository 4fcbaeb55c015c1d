/**
 * Pages of lists of jobs.
 *
 * Where an index serves all conditions of a list in its order, a page is one query. Otherwise:
 *
 * 1. A few hundred jobs are looked at, in the order of the list. Mostly they fill the page.
 * 2. If few jobs meet a condition that an index serves in another order, they are read by it.
 * 3. The rest of the list is walked, some thousand jobs at a time.
 *
 * The last two only collect ids, in `Queries.walks`. Then the page is read by its ids.
 */
import { and, asc, desc, eq, type SQL } from 'drizzle-orm';
import type { SelectedFields } from 'drizzle-orm/sqlite-core';
import type { Tables } from '../schema/tables.ts';
import { ALL_COLUMNS, type Choice, chooseColumns } from '../statements/choice.ts';
import type { Key, Position, Slice } from '../statements/keyset.ts';
import { boundTerm, runShaped, type Term } from '../statements/shapes.ts';
import type { Database, Preparable, Queries } from '../store.ts';
import { idsTerm, type JobCondition, type JobTerm, MOST_IDS, type Source } from './job-filter.ts';
import {
  alternatives,
  byCreation,
  isOfOneJob,
  type JobOrder,
  type ListedJob,
  OLDEST_FIRST,
  type Part,
  partsOf,
  sortings,
  type Way,
  waysOf,
} from './job-orders.ts';
import { positionColumns, shownColumns } from './jobs.ts';

/**
 * Jobs looked at before any thread is asked: about a millisecond of SQLite. In another order than
 * that of ids, each may be a read of the disk.
 */
const FIRST_STEP = 300;
const FIRST_STEP_APART = 100;
/** Jobs that are read by the index of one condition, to be sorted afterwards. */
const FEW = 4_000;

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
  const known = {};
  for (const part of slice.isBackward ? parts.toReversed() : parts) {
    const [after, before] = [slice.after && part.within(slice.after), slice.before && part.within(slice.before)];
    // The slice begins in a later part, or ends in an earlier one.
    if (slice.after && !after && part.name === 'valued') continue;
    if (slice.before && !before && part.name === 'without') continue;
    const limit = slice.limit - found.length;
    if (limit > 0)
      found.push(...(await readPart({ queries, order, part, where, known, choice, signal }, { ...slice, after, before, limit })));
  }
  return found;
}

interface PartOf extends Reading {
  /** What is found for one part of a list and serves the others. */
  readonly known: { matches?: Promise<readonly string[] | null> };
  readonly queries: Queries;
  readonly order: JobOrder;
  readonly part: Part;
  readonly where: readonly JobTerm[];
}

async function readPart(of: PartOf, whole: Slice): Promise<readonly ListedJob[]> {
  const slice = narrow(of, whole);
  const [way] = waysOf(of.order.field, of.part, of.where);
  if (way.rest.length === 0 || isOfOneJob(of.where)) return select(of, way, slice);
  const all = of.order.field === 'CREATED_AT' ? alternatives(of.where) : null;
  if (all) {
    const lists = await Promise.all(all.map((where) => select(of, waysOf('CREATED_AT', of.part, where)[0], slice)));
    const sign = (of.order.direction === 'ASC') === slice.isBackward ? -1 : 1;
    return lists
      .flat()
      .sort((a, b) => (a.id < b.id ? -sign : sign))
      .slice(0, slice.limit);
  }
  const { rows, end } = await step(of, way, slice, of.part.isById ? FIRST_STEP : FIRST_STEP_APART);
  if (rows.length === slice.limit || end === null) return rows;
  const left: Slice = { ...slice, limit: slice.limit - rows.length, ...(slice.isBackward ? { before: end } : { after: end }) };
  return [...rows, ...(await readFar(of, way, left))];
}

/** Reads a slice of which nobody knows how far apart its jobs are. */
async function readFar(of: PartOf, way: Way, slice: Slice): Promise<readonly ListedJob[]> {
  const far: PartOf = { ...of, queries: of.queries.walks ?? of.queries, choice: POSITION_ONLY };
  of.known.matches ??= findAll(far);
  const few = await of.known.matches;
  const ids = few ?? (await walk(far, way, slice));
  if (ids.length === 0) return [];
  const byIds: Way = { source: of.part.source, direct: [...of.part.terms.direct, ...of.part.terms.rest, idsTerm(ids)], rest: [] };
  const rows = await select(of, byIds, slice);
  // A job that was deleted in between leaves a gap, which would look like the end of the list.
  return few || rows.length === ids.length ? rows : readFar(of, way, slice);
}

/** The ids of all jobs that match, if they are not many. Null: they may be many. */
async function findAll(of: PartOf): Promise<string[] | null> {
  return (await fewIds(of)) ?? (of.order.field === OLDEST_FIRST.field ? null : allIds(of));
}

/** The ids of the next jobs, in the order of the part. */
async function walk(of: PartOf, way: Way, slice: Slice): Promise<string[]> {
  const ids: string[] = [];
  for (let rest = slice; ; ) {
    of.signal?.throwIfAborted();
    const { rows, end } = await step(of, way, { ...rest, limit: slice.limit - ids.length }, of.queries.dialect.walkStep);
    ids.push(...rows.map(({ id }) => id));
    if (ids.length === slice.limit || end === null) return ids;
    rest = { ...rest, ...(slice.isBackward ? { before: end } : { after: end }) };
  }
}

/**
 * Looks at the next jobs of a way: at so many, or as far as the page needs. `end`: the position of
 * the last. Null: there are no more.
 */
async function step(of: PartOf, way: Way, slice: Slice, size: number): Promise<{ rows: readonly ListedJob[]; end: Position | null }> {
  const [last] = await select({ ...of, choice: POSITION_ONLY }, { ...way, rest: [] }, { ...slice, limit: 1 }, size - 1);
  const end = last ? of.part.positionOf(last) : null;
  const ending = boundTerm({ name: 'end', side: slice.isBackward ? 'after' : 'before', isIncluded: true }, end, listOf(of, way));
  return { rows: await select(of, { ...way, rest: [...way.rest, ...ending] }, slice), end };
}

/**
 * All jobs that match, if few jobs meet a condition that an index serves in some order. Null: there
 * may be many.
 */
async function fewIds(of: PartOf): Promise<string[] | null> {
  const part = byCreation(OLDEST_FIRST);
  const inOrder: PartOf = { ...of, order: OLDEST_FIRST, part };
  const slice = narrow(inOrder, { after: null, before: null, isBackward: false, limit: MOST_IDS + 1 });
  const areBounded = slice.after !== null || slice.before !== null;
  const ways = [...waysOf('CREATED_AT', part, of.where), ...anyOf(of.where)];
  for (const way of ways) {
    if (way.direct.length === 0 && !way.source && !areBounded) continue;
    const [more] = await select(inOrder, { ...way, rest: [] }, { ...slice, limit: 1 }, FEW);
    if (more) continue;
    const found = await select(inOrder, way, slice);
    return found.length > MOST_IDS ? null : found.map(({ id }) => id);
  }
  return null;
}

/**
 * All jobs that match, found in the order of creation, which is the fastest to walk: another one
 * jumps about in the table. Null: there are many, so that any order soon finds enough.
 */
async function allIds(of: PartOf): Promise<string[] | null> {
  const part = byCreation(OLDEST_FIRST);
  const inOrder: PartOf = { ...of, order: OLDEST_FIRST, part };
  const [way] = waysOf('CREATED_AT', part, of.where);
  const found = await walk(inOrder, way, narrow(inOrder, { after: null, before: null, isBackward: false, limit: MOST_IDS + 1 }));
  return found.length > MOST_IDS ? null : found;
}

/** The ways by an index for one of several words. They are not in the order of ids. */
function anyOf(where: readonly JobTerm[]): Way[] {
  return where.flatMap((term): Way[] =>
    term.oneOf && term.indexed ? [{ source: null, direct: [term.indexed], rest: where.filter((other) => other !== term) }] : [],
  );
}

/** The slice within the ids that can match. */
function narrow({ part, order: { direction }, where }: PartOf, slice: Slice): Slice {
  if (!part.isById) return slice;
  let { after, before } = slice;
  const isAscending = direction === 'ASC';
  for (const { ids } of where) {
    if (!ids) continue;
    const [id, isFloor] = 'from' in ids ? [ids.from, true] : [ids.before, false];
    // No job has this id itself.
    if (isFloor === isAscending) after = later(after, [id], isAscending);
    else before = later(before, [id], !isAscending);
  }
  return { ...slice, after, before };
}

/** Of two positions by id: the greater one, or the lesser. */
function later(one: Position | null, other: Position, isGreater: boolean): Position {
  if (!one) return other;
  return String(one[0]) > String(other[0]) === isGreater ? one : other;
}

export const POSITION_ONLY = chooseColumns(['id']);

const listOf = ({ queries: { t }, order: { field, direction }, part }: PartOf, { source }: Way) => ({
  keys: part.isById && source ? (t: Tables) => part.keys(t).map((key) => ({ ...key, column: source.table(t).jobId })) : part.keys,
  order: `${field}${direction}${part.name}`,
  isAscending: direction === 'ASC',
  t,
});

function select(of: PartOf, way: Way, slice: Slice, offset = 0): Promise<ListedJob[]> {
  const { queries, order, part, choice = ALL_COLUMNS } = of;
  const list = listOf(of, way);
  const source = way.source ?? part.source;
  const walked: (column: Key['column']) => SQL = list.isAscending === slice.isBackward ? desc : asc;
  return runShaped(queries, {
    name: 'list jobs',
    variant: `${order.field} ${list.isAscending !== slice.isBackward} ${part.name} ${choice.name}`,
    terms: [
      ...termsOf({ ...way, source }),
      ...boundTerm({ name: 'after', side: 'after' }, slice.after, list),
      ...boundTerm({ name: 'before', side: 'before' }, slice.before, list),
    ],
    values: { limit: slice.limit, offset, ...(order.metric === undefined ? {} : { orderedMetric: order.metric }) },
    build(db, t, condition, $): Preparable<ListedJob[]> {
      const { columns: sorted } = sortings[order.field];
      // An index may have all that a position is made of.
      const columns = choice === POSITION_ONLY ? positionColumns(t, sorted) : shownColumns(t, choice, sorted);
      const selected = part.source ? { ...columns, metricValue: t.latestMetrics.value } : columns;
      return selectAlong(db, selected, t, source)
        .where(condition)
        .orderBy(...list.keys(t).map(({ column }) => walked(column)))
        .limit($('limit'))
        .offset($('offset'));
    },
  });
}

/** All conditions of a way. */
export const termsOf = ({ source, direct, rest }: Way): readonly Term[] => [...direct, ...rest, ...(source ? [joined(source)] : [])];

const joined = (source: Source): Term => ({
  ...source,
  condition: (t, $, dialect) => and(eq(t.jobs.id, source.table(t).jobId), source.condition(t, $, dialect)),
});

/**
 * Selects from jobs, or from the rows that name them and then jobs. SQLite keeps the order of a
 * CROSS JOIN: by itself, it would begin with jobs and sort them.
 */
export function selectAlong<F extends SelectedFields>(db: Database, fields: F, t: Tables, source: Source | null) {
  // Casts: the table that it begins with matters only to the type of fields that are not selected.
  const rows = db
    .select(fields)
    .from(source ? (source.table(t) as unknown as Tables['jobs']) : t.jobs)
    .$dynamic();
  return source ? (rows.crossJoin(t.jobs) as unknown as typeof rows) : rows;
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

/** Ways that together find what `where` does, each some of it: about as many jobs as a step has. */
export async function* inSteps(
  queries: Queries,
  where: readonly JobTerm[],
  { signal, size = queries.dialect.walkStep }: Pick<Reading, 'signal'> & { readonly size?: number } = {},
): AsyncGenerator<Way> {
  const part = byCreation(OLDEST_FIRST);
  const of: PartOf = { queries: queries.walks ?? queries, order: OLDEST_FIRST, part, where, known: {}, choice: POSITION_ONLY };
  const [way] = waysOf('CREATED_AT', part, where);
  if (isOfOneJob(where)) return yield way;
  const list = listOf(of, way);
  const { before, ...slice } = narrow(of, { after: null, before: null, isBackward: false, limit: 1 });
  const last = boundTerm({ name: 'before', side: 'before' }, before, list);
  for (let { after } = slice; ; ) {
    signal?.throwIfAborted();
    const [next]: readonly ListedJob[] = await select(of, { ...way, rest: last }, { ...slice, after, before: null }, size - 1);
    const end: Position | null = next ? part.positionOf(next) : null;
    const ending = boundTerm({ name: 'end', side: 'before', isIncluded: true }, end, list);
    yield { ...way, rest: [...way.rest, ...boundTerm({ name: 'after', side: 'after' }, after, list), ...last, ...ending] };
    if (end === null) return;
    after = end;
  }
}
