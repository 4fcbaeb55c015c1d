/** Projects, for readers. */
import { and, count, eq, getTableColumns, inArray } from 'drizzle-orm';
import type { ProjectRow } from '../schema/tables.ts';
import { batch } from '../statements/batch.ts';
import { forEachChoice, pickColumns } from '../statements/choice.ts';
import { keyset, type Slice, textKey } from '../statements/keyset.ts';
import type { Queries } from '../store.ts';

/** With the chosen columns. */
export const projectsByIds = forEachChoice((choice) =>
  batch<ProjectRow>(`projects: ${choice.name}`, (db, t, ids) =>
    db
      .select(pickColumns(getTableColumns(t.projects), choice, ['id']))
      .from(t.projects)
      .where(inArray(t.projects.id, ids)),
  ),
);

/** All projects, or the project of a key. */
interface Of {
  readonly projectId: string | null;
}

const isOf = ({ t }: Queries, { projectId }: Of) => (projectId === null ? undefined : eq(t.projects.id, projectId));

/** Newest first. */
export async function listProjects(queries: Queries, of: Of, slice: Slice): Promise<ProjectRow[]> {
  const { projects } = queries.t;
  const { where, orderBy } = keyset([textKey(projects.id)], 'desc', slice);
  return queries.runUnnamed(() =>
    queries.db
      .select()
      .from(projects)
      .where(and(isOf(queries, of), where))
      .orderBy(...orderBy)
      .limit(slice.limit),
  );
}

export async function countProjects(queries: Queries, of: Of): Promise<number> {
  const [row] = await queries.db.select({ count: count() }).from(queries.t.projects).where(isOf(queries, of));
  return row?.count ?? 0;
}
