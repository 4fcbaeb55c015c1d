/** The audit trail. Entries are added and read, never changed. */
import { and, count, eq, gte, inArray, lt, type SQL } from 'drizzle-orm';
import type { AuditAction, AuditSubjectType } from '../../domain/core/vocabulary.ts';
import type { AuditEntryRow } from '../schema/tables.ts';
import { batch } from '../statements/batch.ts';
import { insertOf } from '../statements/inserts.ts';
import { keyset, type Slice, textKey } from '../statements/keyset.ts';
import type { Queries } from '../store.ts';

export const insertAuditEntry = insertOf('auditEntries');

export const auditEntriesByIds = batch<AuditEntryRow>('audit entries', (db, t, ids) =>
  db.select().from(t.auditEntries).where(inArray(t.auditEntries.id, ids)),
);

/** The filter of a list of entries. Null does not filter. */
export interface AuditEntriesOf {
  readonly projectId: string | null;
  readonly subjectId: string | null;
  readonly subjectTypes: readonly AuditSubjectType[] | null;
  readonly actions: readonly AuditAction[] | null;
  readonly actor: string | null;
  /** From this time on. */
  readonly since: Date | null;
  /** Before this time. */
  readonly until: Date | null;
}

function isOf({ t: { auditEntries: entries } }: Queries, of: AuditEntriesOf): SQL | undefined {
  return and(
    of.projectId === null ? undefined : eq(entries.projectId, of.projectId),
    of.subjectId === null ? undefined : eq(entries.subjectId, of.subjectId),
    of.subjectTypes === null ? undefined : inArray(entries.subjectType, [...of.subjectTypes]),
    of.actions === null ? undefined : inArray(entries.action, [...of.actions]),
    of.actor === null ? undefined : eq(entries.actor, of.actor),
    of.since === null ? undefined : gte(entries.at, of.since),
    of.until === null ? undefined : lt(entries.at, of.until),
  );
}

/** Newest first. */
export async function listAuditEntries(queries: Queries, of: AuditEntriesOf, slice: Slice): Promise<AuditEntryRow[]> {
  const { auditEntries } = queries.t;
  const { where, orderBy } = keyset([textKey(auditEntries.id)], 'desc', slice);
  return queries.runUnnamed(() =>
    queries.db
      .select()
      .from(auditEntries)
      .where(and(isOf(queries, of), where))
      .orderBy(...orderBy)
      .limit(slice.limit),
  );
}

export async function countAuditEntries(queries: Queries, of: AuditEntriesOf): Promise<number> {
  const [row] = await queries.db.select({ count: count() }).from(queries.t.auditEntries).where(isOf(queries, of));
  return row?.count ?? 0;
}
