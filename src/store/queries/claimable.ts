/** Claimable steps, in claim order: by priority, then age, then id. */
import { and, asc, count, desc, eq, inArray, type SQL, sql } from 'drizzle-orm';
import { type AnySQLiteColumn, alias } from 'drizzle-orm/sqlite-core';
import { isWord } from '../schema/columns.ts';
import type { Tables } from '../schema/tables.ts';
import { instantOf, type Position, UnknownPosition } from '../statements/keyset.ts';
import { runShaped, type Term } from '../statements/shapes.ts';
import type { Queries } from '../store.ts';
import { type ShownStep, stepsById } from './steps.ts';

export interface ClaimableFilter {
  readonly projectId: string | null;
  readonly jobId: string | null;
  /** The queues that a device can serve. Null: any. */
  readonly queueIds: readonly string[] | null;
}

/** The position of a step in the claim order. */
export const claimPosition = ({ priority, queuedAt, id }: ShownStep): Position => [priority, queuedAt?.toISOString() ?? '', id];

/** The next steps after a position. Throws UnknownPosition. */
export async function listClaimable(
  queries: Queries,
  filter: ClaimableFilter,
  page: { readonly after: Position | null; readonly limit: number },
): Promise<readonly ShownStep[]> {
  if (filter.queueIds?.length === 0) return [];
  const after = afterTerm(page.after);
  const ids = await (filter.jobId === null ? nextOfQueues : nextOfJob)(queries, filter, { after, limit: page.limit });
  const rows = new Map((await stepsById(queries, ids)).map((row) => [row.id, row]));
  const steps = ids.flatMap((id) => rows.get(id) ?? []).filter(({ status }) => status === 'QUEUED');
  // Of a page that is short, nobody would know whether more follows: some have just been claimed.
  return steps.length === ids.length ? steps : listClaimable(queries, filter, page);
}

interface Next {
  readonly after: readonly Term[];
  readonly limit: number;
}

/**
 * The first steps of each queue are read by its index, and sorted. No index has the steps of all
 * queues in one order: each new step would pay for it, and each claim.
 */
async function nextOfQueues(queries: Queries, filter: ClaimableFilter, { after, limit }: Next): Promise<string[]> {
  const found = await runShaped(queries.walks ?? queries, {
    name: 'list claimable',
    variant: after.map(({ shape }) => shape).join(),
    terms: termsOf(filter),
    values: Object.assign({ limit }, ...after.map(({ values }) => values)),
    build(db, t, where, $, dialect) {
      const { queues } = t;
      const listed = alias(t.steps, 'listed');
      const first = db
        .select({ id: t.steps.id })
        .from(t.steps)
        .where(and(eq(t.steps.queueId, queues.id), isQueued(t), ...after.map(({ condition }) => condition(t, $, dialect))))
        .orderBy(...inClaimOrder(t.steps))
        .limit($('limit'));
      return db
        .select({ id: listed.id })
        .from(queues)
        .crossJoin(listed)
        .where(and(inArray(listed.id, first), where))
        .orderBy(...inClaimOrder(listed))
        .limit($('limit'));
    },
  });
  return found.map(({ id }) => id);
}

async function nextOfJob(queries: Queries, filter: ClaimableFilter, { after, limit }: Next): Promise<string[]> {
  const found = await runShaped(queries, {
    name: 'list claimable of job',
    terms: [...termsOf(filter), ...after],
    values: { limit },
    build: (db, t, where, $) =>
      db
        .select({ id: t.steps.id })
        .from(t.steps)
        .where(and(isQueued(t), where))
        .orderBy(...inClaimOrder(t.steps))
        .limit($('limit')),
  });
  return found.map(({ id }) => id);
}

export async function countClaimable(queries: Queries, filter: ClaimableFilter): Promise<number> {
  if (filter.queueIds?.length === 0) return 0;
  const [row] = await runShaped(queries.walks ?? queries, {
    name: 'count claimable',
    terms: termsOf(filter),
    build(db, t, where) {
      const rows = db.select({ count: count() });
      if (filter.jobId !== null) return rows.from(t.steps).where(and(isQueued(t), where));
      // Counted in the index of queues.
      return rows
        .from(t.queues)
        .crossJoin(t.steps)
        .where(and(eq(t.steps.queueId, t.queues.id), isQueued(t), where));
    },
  });
  return row?.count ?? 0;
}

const isQueued = ({ steps }: Tables): SQL => isWord(steps.status, 'QUEUED');

const inClaimOrder = ({ priority, queuedAt, id }: Record<'priority' | 'queuedAt' | 'id', AnySQLiteColumn>): SQL[] => [
  desc(priority),
  asc(queuedAt),
  asc(id),
];

/** Of the queues, or of the steps of a job. */
function termsOf({ projectId, jobId, queueIds }: ClaimableFilter): Term[] {
  const terms: Term[] = [];
  const isOfJob = jobId !== null;
  if (isOfJob) terms.push({ shape: 'job', values: { jobId }, condition: (t, $) => eq(t.steps.jobId, $('jobId')) });
  if (projectId !== null) {
    const condition: Term['condition'] = (t, $) => eq((isOfJob ? t.steps : t.queues).projectId, $('projectId'));
    terms.push({ shape: 'project', values: { projectId }, condition });
  }
  if (queueIds) terms.push(queuesTerm(queueIds, (t) => (isOfJob ? t.steps.queueId : t.queues.id)));
  return terms;
}

/** Padded to the next power of two by repeating the last id, so that there are few shapes. */
function queuesTerm(queueIds: readonly string[], column: (t: Tables) => AnySQLiteColumn): Term {
  const size = 2 ** Math.ceil(Math.log2(queueIds.length));
  const names = Array.from({ length: size }, (_, i) => `queue${i}`);
  return {
    shape: `queues ${size}`,
    values: Object.fromEntries(names.map((name, i) => [name, queueIds[Math.min(i, queueIds.length - 1)]])),
    condition: (t, $) =>
      inArray(
        column(t),
        names.map((name) => $(name)),
      ),
  };
}

function afterTerm(position: Position | null): Term[] {
  if (!position) return [];
  const [priority, queued, id] = position;
  const queuedAt = instantOf(queued);
  if (!Number.isInteger(priority) || queuedAt === null || typeof id !== 'string' || id.includes('\0')) throw new UnknownPosition();
  return [
    {
      shape: 'after',
      values: { priority, queuedAt, id },
      condition({ steps }, $) {
        const at = [$('priority', steps.priority), $('queuedAt', steps.queuedAt), $('id', steps.id)] as const;
        return sql`(${steps.priority} < ${at[0]} or (${steps.priority} = ${at[0]} and (${steps.queuedAt}, ${steps.id}) > (${at[1]}, ${at[2]})))`;
      },
    },
  ];
}
