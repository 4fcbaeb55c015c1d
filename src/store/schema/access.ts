/** Keys, the audit trail, idempotency keys, and the store's own values. */
import { type SQL, type SQLWrapper, sql } from 'drizzle-orm';
import { type AuditChanges, auditActions, auditSubjectTypes, principalKinds, roles } from '../../domain/core/vocabulary.ts';
import { isOneOf, isWord, type Kit } from './columns.ts';
import type { DeviceTables } from './devices.ts';
import type { JobTables } from './jobs.ts';
import type { ProjectTables } from './projects.ts';

export const isNoJobKey = (kind: SQLWrapper): SQL => sql`${kind} <> 'JOB'`;

export function accessTables(kit: Kit, { projects, jobs, devices }: ProjectTables & JobTables & DeviceTables) {
  const { table, text, oneOf, instant, json, longJson, document, index, unique, check, primaryKey } = kit;
  const cascade = { onDelete: 'cascade' } as const;

  /** One row per value: the store's identity, and its secret for signed URLs. */
  const meta = table('meta', { key: text().primaryKey(), value: text().notNull() });

  const apiKeys = table(
    'api_keys',
    {
      id: text().primaryKey(),
      name: text().notNull(),
      kind: oneOf(principalKinds).notNull(),
      role: oneOf(roles),
      projectId: text().references(() => projects.id, cascade),
      jobId: text().references(() => jobs.id, cascade),
      deviceId: text().references(() => devices.id, cascade),
      /** SHA-256 of the secret, hex. The secret itself is stored nowhere. */
      hash: text().notNull(),
      hint: text().notNull(),
      createdAt: instant().notNull(),
      /** The principal that created it. */
      createdBy: text().notNull(),
      lastUsedAt: instant(),
      expiresAt: instant(),
      revokedAt: instant(),
      /** For rotations: the key that this one replaced, and the key that replaced this one. */
      rotatedFromId: text(),
      replacedById: text(),
      /**
       * For join links: the device that used it, and the idempotency key of that request. Null: it
       * is no join link, or not used.
       */
      joined: json<{ readonly deviceId: string; readonly idempotencyKey: string }>(),
    },
    (t) => [
      unique('api_keys_hash').on(t.hash),
      index('api_keys_job').on(t.jobId),
      index('api_keys_project').on(t.projectId, t.id),
      index('api_keys_created_by').on(t.createdBy),
      index('api_keys_admin').on(t.id).where(isWord(t.role, 'ADMIN')),
      // In a store of an earlier version, every job has left a key.
      index('api_keys_not_of_jobs').on(t.id).where(isNoJobKey(t.kind)),
      index('api_keys_device').on(t.deviceId),
      check('api_keys_kind', isOneOf(t.kind, principalKinds)),
    ],
  );

  /**
   * Actions that leave no event, or whose events are deleted with their subject. It has no foreign
   * keys: an entry outlives its subject.
   */
  const auditEntries = table(
    'audit_entries',
    {
      id: text().primaryKey(),
      at: instant().notNull(),
      /** The principal, as in events, and its key. Null if there was no key. */
      actor: text().notNull(),
      actorKeyId: text(),
      action: oneOf(auditActions).notNull(),
      subjectType: oneOf(auditSubjectTypes).notNull(),
      subjectId: text().notNull(),
      subjectName: text().notNull(),
      projectId: text(),
      /** By field: the value before and after. Never a secret. */
      changes: longJson<AuditChanges>().notNull(),
      requestId: text(),
    },
    (t) => [
      index('audit_entries_project').on(t.projectId, t.id),
      index('audit_entries_subject').on(t.subjectId, t.id),
      index('audit_entries_actor').on(t.actor, t.id),
      check('audit_entries_action', isOneOf(t.action, auditActions)),
      check('audit_entries_subject_type', isOneOf(t.subjectType, auditSubjectTypes)),
    ],
  );

  /** The first use of each idempotency key. */
  const idempotencyKeys = table(
    'idempotency_keys',
    {
      scope: text().notNull(),
      operation: text().notNull(),
      key: text().notNull(),
      /** The input in canonical JSON, to name the differences. */
      input: document<Record<string, unknown>>().notNull(),
      /** Ids of the results. */
      result: json<readonly string[]>().notNull(),
      createdAt: instant().notNull(),
    },
    (t) => [primaryKey({ columns: [t.scope, t.operation, t.key] }), index('idempotency_keys_created').on(t.createdAt)],
  );

  return { meta, apiKeys, auditEntries, idempotencyKeys };
}
