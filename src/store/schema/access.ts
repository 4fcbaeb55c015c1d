/** Who may come in, what was done, and what the store knows of itself. */
import { type AuditChanges, auditActions, auditSubjectTypes, principalKinds, roles } from '../../domain/core/vocabulary.ts';
import { isOneOf, isWord, type Kit } from './columns.ts';
import type { DeviceTables } from './devices.ts';
import type { JobTables } from './jobs.ts';
import type { ProjectTables } from './projects.ts';

export function accessTables(kit: Kit, { projects, jobs, devices }: ProjectTables & JobTables & DeviceTables) {
  const { table, text, oneOf, instant, json, index, unique, check, primaryKey } = kit;
  const cascade = { onDelete: 'cascade' } as const;

  /** One row of each: this store's identity, its secret for signed URLs. */
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
      /** SHA-256 of the secret, hex. The secret itself is kept nowhere. */
      hash: text().notNull(),
      hint: text().notNull(),
      createdAt: instant().notNull(),
      /** The principal that made it. */
      createdBy: text().notNull(),
      lastUsedAt: instant(),
      expiresAt: instant(),
      revokedAt: instant(),
      /** Of a rotation: the key that this one took the place of, and the one that took this one's. */
      rotatedFromId: text(),
      replacedById: text(),
    },
    (t) => [
      unique('api_keys_hash').on(t.hash),
      index('api_keys_job').on(t.jobId),
      index('api_keys_project').on(t.projectId, t.id),
      index('api_keys_created_by').on(t.createdBy),
      index('api_keys_admin').on(t.id).where(isWord(t.role, 'ADMIN')),
      index('api_keys_device').on(t.deviceId),
      check('api_keys_kind', isOneOf(t.kind, principalKinds)),
    ],
  );

  /** Who did what to what no event tells of, or whose events go with it. It refers to nothing: an entry outlives its subject. */
  const auditEntries = table(
    'audit_entries',
    {
      id: text().primaryKey(),
      at: instant().notNull(),
      /** The principal, as events name it, and its key; null where it came without one. */
      actor: text().notNull(),
      actorKeyId: text(),
      action: oneOf(auditActions).notNull(),
      subjectType: oneOf(auditSubjectTypes).notNull(),
      subjectId: text().notNull(),
      subjectName: text().notNull(),
      projectId: text(),
      /** By field: what it was, and what it is now. Never a secret. */
      changes: json<AuditChanges>().notNull(),
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

  /** What an idempotency key was first used for. */
  const idempotencyKeys = table(
    'idempotency_keys',
    {
      scope: text().notNull(),
      operation: text().notNull(),
      key: text().notNull(),
      /** The input in canonical JSON, to name what differs. */
      input: json<Record<string, unknown>>().notNull(),
      /** Ids of what came of it. */
      result: json<readonly string[]>().notNull(),
      createdAt: instant().notNull(),
    },
    (t) => [primaryKey({ columns: [t.scope, t.operation, t.key] }), index('idempotency_keys_created').on(t.createdAt)],
  );

  return { meta, apiKeys, auditEntries, idempotencyKeys };
}
