/**
 * The audit trail: who did what to keys, projects, devices and the catalogue, and what was deleted of jobs and files, whose events go with them.
 *
 * An entry is written in the transaction that makes it true, and never changed. It refers to nothing, so it outlives its subject. What was refused is
 * not in it: a refusal undoes its transaction, and whoever may do nothing else could fill the disk with entries; refusals are for the log.
 */

import { insertAuditEntry } from '../../store/queries/audit.ts';
import { insertRows } from '../../store/statements/inserts.ts';
import type { Change } from '../core/change.ts';
import type { AuditAction, AuditChanges, AuditSubjectType } from '../core/vocabulary.ts';

export interface AuditSubject {
  readonly type: AuditSubjectType;
  readonly id: string;
  /** As it was called then. */
  readonly name: string;
  /** Null: it belonged to none. */
  readonly projectId: string | null;
}

/** Stores that something was done, in the transaction that does it. */
export async function audit(
  { tx, domain, now, actor, keyId, requestId }: Change,
  action: AuditAction,
  { type, id, name, projectId }: AuditSubject,
  changes: AuditChanges = {},
): Promise<void> {
  await insertRows(tx, insertAuditEntry, [
    {
      id: domain.ids.next('AuditEntry'),
      at: now,
      actor,
      actorKeyId: keyId,
      action,
      subjectType: type,
      subjectId: id,
      subjectName: name,
      projectId,
      changes,
      requestId,
    },
  ]);
}

/** Which fields an entry tells of. `shown` with their values; of `named` only that they changed: they may be long, or hold secrets. */
export interface AuditedFields<R> {
  readonly shown: readonly (keyof R & string)[];
  readonly named?: readonly (keyof R & string)[];
}

/** What something was made with; null is not told. */
export function madeWith<R extends object>(row: R, { shown }: AuditedFields<R>): AuditChanges {
  return Object.fromEntries(shown.filter((field) => row[field] !== null).map((field) => [field, { to: row[field] }]));
}

/** What a change made of it; nothing where no field is another. */
export function changedBetween<R extends object>(before: R, after: R, { shown, named = [] }: AuditedFields<R>): AuditChanges {
  const isChanged = (field: keyof R) => JSON.stringify(before[field]) !== JSON.stringify(after[field]);
  return Object.fromEntries([
    ...shown.filter(isChanged).map((field) => [field, { from: before[field], to: after[field] }]),
    ...named.filter(isChanged).map((field) => [field, {}]),
  ]);
}
