/** Claimable steps, in claim order: by priority, then age, then id. */
import { and, asc, count, desc, eq, inArray, type SQL, sql } from 'drizzle-orm';
import { isWord } from '../schema/columns.ts';
import type { Tables } from '../schema/tables.ts';
import { instantOf, type Position, UnknownPosition } from '../statements/keyset.ts';
import { runShaped, type Term } from '../statements/shapes.ts';
import type { Queries } from '../store.ts';
import { type ShownStep, shownStepColumns } from './steps.ts';

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
  { after, limit }: { readonly after: Position | null; readonly limit: number },
): Promise<readonly ShownStep[]> {
  if (filter.queueIds?.length === 0) return [];
  return runShaped(queries, {
    name: 'list claimable',
    terms: [...termsOf(filter), ...afterTerm(after)],
    values: { limit },
    build: (db, t, where, $) =>
      db
        .select(shownStepColumns(t))
        .from(t.steps)
        .where(and(isQueued(t), where))
        .orderBy(desc(t.steps.priority), asc(t.steps.queuedAt), asc(t.steps.id))
        .limit($('limit')),
  });
}

export async function countClaimable(queries: Queries, filter: ClaimableFilter): Promise<number> {
  if (filter.queueIds?.length === 0) return 0;
  const [row] = await runShaped(queries, {
    name: 'count claimable',
    terms: termsOf(filter),
    build: (db, t, where) =>
      db
        .select({ count: count() })
        .from(t.steps)
        .where(and(isQueued(t), where)),
  });
  return row?.count ?? 0;
}

const isQueued = (t: Tables): SQL => isWord(t.steps.status, 'QUEUED');

function termsOf({ projectId, jobId, queueIds }: ClaimableFilter): Term[] {
  const terms: Term[] = [];
  if (projectId !== null)
    terms.push({ shape: 'project', values: { projectId }, condition: (t, $) => eq(t.steps.projectId, $('projectId')) });
  if (jobId !== null) terms.push({ shape: 'job', values: { jobId }, condition: (t, $) => eq(t.steps.jobId, $('jobId')) });
  if (queueIds) terms.push(queuesTerm(queueIds));
  return terms;
}

/** Padded to the next power of two by repeating the last id, so that there are few shapes. */
function queuesTerm(queueIds: readonly string[]): Term {
  const size = 2 ** Math.ceil(Math.log2(queueIds.length));
  const names = Array.from({ length: size }, (_, i) => `queue${i}`);
  return {
    shape: `queues ${size}`,
    values: Object.fromEntries(names.map((name, i) => [name, queueIds[Math.min(i, queueIds.length - 1)]])),
    condition: (t, $) =>
      inArray(
        t.steps.queueId,
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
