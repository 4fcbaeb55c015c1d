/** Models and their versions, for readers. */
import { and, count, eq, getTableColumns, inArray, sql } from 'drizzle-orm';
import { isWord } from '../schema/columns.ts';
import type { ModelRow, ModelVersionRow, Tables } from '../schema/tables.ts';
import { batch } from '../statements/batch.ts';
import { keyset, numberKey, type Slice, textKey } from '../statements/keyset.ts';
import type { Queries } from '../store.ts';

/** The total bytes of the stored models of each job. Jobs without models are left out. */
export const modelBytesOfJobs = batch<{ jobId: string | null; bytes: number }>('model bytes of jobs', (db, t, jobIds) =>
  db
    .select({ jobId: t.fragments.jobId, bytes: sql<number>`coalesce(sum(${t.fragments.sizeBytes}), 0)`.mapWith(Number) })
    .from(t.fragments)
    .where(and(inArray(t.fragments.jobId, jobIds), isWord(t.fragments.type, 'MODEL'), isWord(t.fragments.status, 'READY')))
    .groupBy(t.fragments.jobId),
);

export const modelsByIds = batch<ModelRow>('models', (db, t, ids) => db.select().from(t.models).where(inArray(t.models.id, ids)));

/** Newest first. */
export async function listModels(
  queries: Queries,
  { projectId }: { readonly projectId: string | null },
  slice: Slice,
): Promise<ModelRow[]> {
  const { models } = queries.t;
  const { where, orderBy } = keyset([textKey(models.id)], 'desc', slice);
  return queries.db
    .select()
    .from(models)
    .where(and(projectId === null ? undefined : eq(models.projectId, projectId), where))
    .orderBy(...orderBy)
    .limit(slice.limit);
}

export async function countModels({ db, t }: Queries, { projectId }: { readonly projectId: string | null }): Promise<number> {
  const [row] = await db
    .select({ count: count() })
    .from(t.models)
    .where(projectId === null ? undefined : eq(t.models.projectId, projectId));
  return row?.count ?? 0;
}

/** A version, with the project of its model. */
export interface ShownModelVersion extends ModelVersionRow {
  readonly projectId: string;
}

function shownVersionColumns({ modelVersions, models }: Tables) {
  return { ...getTableColumns(modelVersions), projectId: models.projectId };
}

export const modelVersionsByIds = batch<ShownModelVersion>('model versions', (db, t, ids) =>
  db
    .select(shownVersionColumns(t))
    .from(t.modelVersions)
    .innerJoin(t.models, eq(t.models.id, t.modelVersions.modelId))
    .where(inArray(t.modelVersions.id, ids)),
);

/** The versions of a model: all, or those that one job made. */
export interface VersionsOf {
  readonly modelId: string;
  readonly jobId: string | null;
}

const isVersionOf = ({ modelVersions }: Tables, { modelId, jobId }: VersionsOf) =>
  and(eq(modelVersions.modelId, modelId), jobId === null ? undefined : eq(modelVersions.jobId, jobId));

/** Newest first. */
export async function listVersions(queries: Queries, of: VersionsOf, slice: Slice): Promise<ShownModelVersion[]> {
  const { modelVersions, models } = queries.t;
  const { where, orderBy } = keyset([numberKey(modelVersions.number), textKey(modelVersions.id)], 'desc', slice);
  return queries.db
    .select(shownVersionColumns(queries.t))
    .from(modelVersions)
    .innerJoin(models, eq(models.id, modelVersions.modelId))
    .where(and(isVersionOf(queries.t, of), where))
    .orderBy(...orderBy)
    .limit(slice.limit);
}

export async function countVersions({ db, t }: Queries, of: VersionsOf): Promise<number> {
  const [row] = await db.select({ count: count() }).from(t.modelVersions).where(isVersionOf(t, of));
  return row?.count ?? 0;
}
