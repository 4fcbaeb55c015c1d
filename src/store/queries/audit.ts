/** The audit trail. Entries are added and read, never changed. */
import { and, eq, gte, inArray, lt } from 'drizzle-orm';
import { firstId } from '../../domain/core/ids.ts';
import type { AuditAction, AuditSubjectType } from '../../domain/core/vocabulary.ts';
import type { AuditEntryRow } from '../schema/tables.ts';
import { batch } from '../statements/batch.ts';
import { countById, idsNewestFirst, inOrderOf, type Walked } from '../statements/id-walks.ts';
import { insertOf } from '../statements/inserts.ts';
import type { Slice } from '../statements/keyset.ts';
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

/** An entry and its id are made at the same time, by the same clock. See queries/job-filter.ts. */
const EARLIER_MS = 600_000;
const LATER_MS = 86_400_000;

function walkOf({ t: { auditEntries: entries } }: Queries, of: AuditEntriesOf): Walked {
  return {
    table: entries,
    id: entries.id,
    direct: and(
      of.projectId === null ? undefined : eq(entries.projectId, of.projectId),
      of.subjectId === null ? undefined : eq(entries.subjectId, of.subjectId),
      of.actor === null ? undefined : eq(entries.actor, of.actor),
      of.since === null ? undefined : gte(entries.id, firstId('AuditEntry', of.since.getTime() - EARLIER_MS)),
      of.until === null ? undefined : lt(entries.id, firstId('AuditEntry', of.until.getTime() + LATER_MS)),
    ),
    rest: and(
      of.subjectTypes === null ? undefined : inArray(entries.subjectType, [...of.subjectTypes]),
      of.actions === null ? undefined : inArray(entries.action, [...of.actions]),
      of.since === null ? undefined : gte(entries.at, of.since),
      of.until === null ? undefined : lt(entries.at, of.until),
    ),
  };
}

/** Newest first. */
export async function listAuditEntries(queries: Queries, of: AuditEntriesOf, slice: Slice): Promise<AuditEntryRow[]> {
  const ids = await idsNewestFirst(queries, walkOf(queries, of), slice);
  return inOrderOf(ids, await auditEntriesByIds(queries, ids));
}

export const countAuditEntries = (queries: Queries, of: AuditEntriesOf): Promise<number> => countById(queries, walkOf(queries, of));
