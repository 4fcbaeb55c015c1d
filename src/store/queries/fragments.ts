/** Fragments, for readers. */
import { and, count, desc, eq, inArray, type SQL } from 'drizzle-orm';
import type { FragmentStatus } from '../../domain/core/lifecycle.ts';
import type { FragmentType } from '../../domain/core/vocabulary.ts';
import { isWord } from '../schema/columns.ts';
import type { FragmentRow } from '../schema/tables.ts';
import { batch, batchOfPairs } from '../statements/batch.ts';
import { keyset, type Slice, textKey } from '../statements/keyset.ts';
import { type Placeholder, type Queries, statement } from '../store.ts';

export const fragmentsByIds = batch<FragmentRow>('fragments', (db, t, ids) =>
  db.select().from(t.fragments).where(inArray(t.fragments.id, ids)),
);

export interface FragmentsOf {
  readonly jobId: string;
  readonly stepNumber: number | null;
  readonly types: readonly FragmentType[] | null;
  readonly statuses: readonly FragmentStatus[] | null;
  /** In its canonical form, as stored. */
  readonly filenameKey: string | null;
}

function isOf({ t: { fragments } }: Queries, of: FragmentsOf): SQL | undefined {
  return and(
    eq(fragments.jobId, of.jobId),
    of.stepNumber === null ? undefined : eq(fragments.stepNumber, of.stepNumber),
    of.types === null ? undefined : inArray(fragments.type, [...of.types]),
    of.statuses === null ? undefined : inArray(fragments.status, [...of.statuses]),
    of.filenameKey === null ? undefined : eq(fragments.filenameKey, of.filenameKey),
  );
}

/** Newest first. */
export async function listFragments(queries: Queries, of: FragmentsOf, slice: Slice): Promise<FragmentRow[]> {
  const { fragments } = queries.t;
  const { where, orderBy } = keyset([textKey(fragments.id)], 'desc', slice);
  return queries.db
    .select()
    .from(fragments)
    .where(and(isOf(queries, of), where))
    .orderBy(...orderBy)
    .limit(slice.limit);
}

export async function countFragments(queries: Queries, of: FragmentsOf): Promise<number> {
  const [row] = await queries.db.select({ count: count() }).from(queries.t.fragments).where(isOf(queries, of));
  return row?.count ?? 0;
}

type ByFilename = Placeholder<{ id: string; filenameKey: string }>;

/** The complete files of these names, each by its job and the name. */
export const readyFragments = batchOfPairs<FragmentRow>('ready fragments', (db, t, isAnyOf) =>
  db
    .select()
    .from(t.fragments)
    .where(and(isAnyOf(t.fragments.scopeId, t.fragments.filenameKey), isWord(t.fragments.status, 'READY'))),
);

/** The newest complete file of this name in the succeeded jobs of a project. */
export const latestFragmentOfProject = statement('latest fragment of project', (db, t, $: ByFilename) =>
  db
    .select({ fragment: t.fragments })
    .from(t.fragments)
    .innerJoin(t.jobs, eq(t.jobs.id, t.fragments.jobId))
    .where(
      and(
        eq(t.fragments.projectId, $('id')),
        eq(t.fragments.filenameKey, $('filenameKey')),
        isWord(t.fragments.status, 'READY'),
        isWord(t.jobs.status, 'SUCCEEDED'),
      ),
    )
    .orderBy(desc(t.fragments.readyAt), desc(t.fragments.id))
    .limit(1),
);
