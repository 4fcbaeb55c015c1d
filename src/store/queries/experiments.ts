/** Experiments, for readers. */
import { and, count, eq, inArray, max, min } from 'drizzle-orm';
import { unfinishedJobStatuses } from '../../domain/core/lifecycle.ts';
import { isOneOf, isWord, withoutIndex } from '../schema/columns.ts';
import type { ExperimentRow } from '../schema/tables.ts';
import { batch } from '../statements/batch.ts';
import { keyset, type Slice, textKey } from '../statements/keyset.ts';
import type { Queries } from '../store.ts';
import { jobsById } from './jobs.ts';

export const experimentsByIds = batch<ExperimentRow>('experiments', (db, t, ids) =>
  db.select().from(t.experiments).where(inArray(t.experiments.id, ids)),
);

/** The experiments of one project, or of all. */
interface Of {
  readonly projectId: string | null;
}

/** Newest first. */
export async function listExperiments(queries: Queries, { projectId }: Of, slice: Slice): Promise<ExperimentRow[]> {
  const { experiments } = queries.t;
  const { where, orderBy } = keyset([textKey(experiments.id)], 'desc', slice);
  return queries.runUnnamed(() =>
    queries.db
      .select()
      .from(experiments)
      .where(and(projectId === null ? undefined : eq(experiments.projectId, projectId), where))
      .orderBy(...orderBy)
      .limit(slice.limit),
  );
}

export async function countExperiments({ db, t }: Queries, { projectId }: Of): Promise<number> {
  const [row] = await db
    .select({ count: count() })
    .from(t.experiments)
    .where(projectId === null ? undefined : eq(t.experiments.projectId, projectId));
  return row?.count ?? 0;
}

/** One job of an experiment. */
interface Found {
  readonly experimentId: string | null;
  readonly jobId: string | null;
}

/** The first unfinished job of each experiment. All later ones wait for it. */
export const currentJobsOfExperiments = batch<Found>('current jobs of experiments', (db, t, ids) =>
  db
    .select({ experimentId: t.jobs.experimentId, jobId: min(t.jobs.id) })
    .from(t.jobs)
    .where(and(inArray(t.jobs.experimentId, ids), isOneOf(withoutIndex(t.jobs.status), unfinishedJobStatuses)))
    .groupBy(t.jobs.experimentId),
);

const newestWithResult = batch<Found>('newest jobs with results', (db, t, ids) =>
  db
    .select({ experimentId: t.jobs.experimentId, jobId: max(t.jobs.id) })
    .from(t.jobs)
    .innerJoin(t.fragments, eq(t.fragments.id, t.jobs.resultModelId))
    .where(and(inArray(t.jobs.experimentId, ids), isWord(withoutIndex(t.jobs.status), 'SUCCEEDED')))
    .groupBy(t.jobs.experimentId),
);

/** The id of the newest model that the jobs of each experiment produced and that still exists. */
export async function newestResults(queries: Queries, experimentIds: readonly string[]): Promise<Map<string, string>> {
  const newest = await newestWithResult(queries, experimentIds);
  const jobs = await jobsById(
    queries,
    newest.map(({ jobId }) => jobId ?? ''),
  );
  return new Map(jobs.map(({ experimentId, resultModelId }) => [experimentId ?? '', resultModelId ?? '']));
}
