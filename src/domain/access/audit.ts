/**
 * The audit trail: who changed keys, projects, devices and applications, and who deleted jobs and
 * files, whose events are deleted with them.
 *
 * An entry is written in the transaction of the change, and never modified. It has no foreign keys,
 * so it outlives its subject. Refused requests are not recorded: a refusal undoes its transaction,
 * and a client without rights could otherwise fill the disk. They are in the log.
 */

import { insertAuditEntry } from '../../store/queries/audit.ts';
import { insertRows } from '../../store/statements/inserts.ts';
import type { Change } from '../core/change.ts';
import type { AuditAction, AuditChanges, AuditSubjectType } from '../core/vocabulary.ts';

export interface AuditSubject {
  readonly type: AuditSubjectType;
  readonly id: string;
  /** Its name at that time. */
  readonly name: string;
  /** Null if it belonged to no project. */
  readonly projectId: string | null;
}

/** Records a change, in its transaction. Returns the id of the entry. */
export async function audit(
  { tx, domain, now, actor, keyId, requestId }: Change,
  action: AuditAction,
  { type, id, name, projectId }: AuditSubject,
  changes: AuditChanges = {},
): Promise<string> {
  const entryId = domain.ids.next('AuditEntry');
  await insertRows(tx, insertAuditEntry, [
    {
      id: entryId,
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
  return entryId;
}

/**
 * The fields recorded in an entry. `shown` fields with their values. `named` fields only as
 * changed: they may be long, or hold secrets.
 */
export interface AuditedFields<R> {
  readonly shown: readonly (keyof R & string)[];
  readonly named?: readonly (keyof R & string)[];
}

/** The recorded fields of something new, without nulls. */
export function madeWith<R extends object>(row: R, { shown }: AuditedFields<R>): AuditChanges {
  return Object.fromEntries(shown.filter((field) => row[field] !== null).map((field) => [field, { to: row[field] }]));
}

/** The recorded fields that a change modified. Empty if there are none. */
export function changedBetween<R extends object>(before: R, after: R, { shown, named = [] }: AuditedFields<R>): AuditChanges {
  const isChanged = (field: keyof R) => JSON.stringify(before[field]) !== JSON.stringify(after[field]);
  return Object.fromEntries([
    ...shown.filter(isChanged).map((field) => [field, { from: before[field], to: after[field] }]),
    ...named.filter(isChanged).map((field) => [field, {}]),
  ]);
}
