/** Applications, for readers. */
import { count, inArray } from 'drizzle-orm';
import type { ApplicationRow } from '../schema/tables.ts';
import { batch } from '../statements/batch.ts';
import { keyset, type Slice, textKey } from '../statements/keyset.ts';
import type { Queries } from '../store.ts';

export const applicationsByIds = batch<ApplicationRow>('applications', (db, t, ids) =>
  db.select().from(t.applications).where(inArray(t.applications.id, ids)),
);

/** Newest first. */
export async function listApplications(queries: Queries, slice: Slice): Promise<ApplicationRow[]> {
  const { db, t } = queries;
  const { where, orderBy } = keyset([textKey(t.applications.id)], 'desc', slice);
  return queries.runUnnamed(() =>
    db
      .select()
      .from(t.applications)
      .where(where)
      .orderBy(...orderBy)
      .limit(slice.limit),
  );
}

export async function countApplications({ db, t }: Queries): Promise<number> {
  const [row] = await db.select({ count: count() }).from(t.applications);
  return row?.count ?? 0;
}
