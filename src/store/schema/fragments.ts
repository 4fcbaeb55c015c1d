/** The rows of files and models. The bytes are in the file store. */
import { sql } from 'drizzle-orm';
import { fragmentStatuses } from '../../domain/core/lifecycle.ts';
import { fragmentTypes } from '../../domain/core/vocabulary.ts';
import { isOneOf, type Kit } from './columns.ts';
import type { JobTables } from './jobs.ts';
import type { ProjectTables } from './projects.ts';

export function fragmentTables(kit: Kit, { projects, jobs }: ProjectTables & JobTables) {
  const { table, text, oneOf, int, long, instant, index, unique, check } = kit;
  const cascade = { onDelete: 'cascade' } as const;

  const fragments = table(
    'fragments',
    {
      id: text().primaryKey(),
      projectId: text()
        .notNull()
        .references(() => projects.id, cascade),
      jobId: text().references(() => jobs.id, cascade),
      stepId: text(),
      stepNumber: int(),
      attempt: int(),
      deviceId: text(),
      /**
       * The id of the job, or of the project for its own files: the scope in which a filename is
       * used once.
       */
      scopeId: text().notNull(),
      filename: text().notNull(),
      /** In lower case, because case does not matter. */
      filenameKey: text().notNull(),
      name: text().notNull(),
      type: oneOf(fragmentTypes).notNull(),
      status: oneOf(fragmentStatuses).notNull(),
      contentType: text().notNull(),
      /** As announced while PENDING, as stored when READY. */
      sizeBytes: long(),
      sha256: text(),
      /** The principal that created it. */
      owner: text().notNull(),
      createdAt: instant().notNull(),
      readyAt: instant(),
    },
    (t) => [
      unique('fragments_filename').on(t.scopeId, t.filenameKey),
      index('fragments_job').on(t.jobId, t.id),
      index('fragments_project_filename').on(t.projectId, t.filenameKey, t.readyAt),
      check('fragments_status', isOneOf(t.status, fragmentStatuses)),
      check('fragments_type', isOneOf(t.type, fragmentTypes)),
    ],
  );

  const models = table(
    'models',
    {
      id: text().primaryKey(),
      projectId: text()
        .notNull()
        .references(() => projects.id, cascade),
      name: text().notNull(),
      createdAt: instant().notNull(),
      updatedAt: instant().notNull(),
    },
    (t) => [index('models_project').on(t.projectId, t.id)],
  );

  const modelVersions = table(
    'model_versions',
    {
      id: text().primaryKey(),
      modelId: text()
        .notNull()
        .references(() => models.id, cascade),
      /** 1, 2, 3 … within the model. */
      number: int().notNull(),
      jobId: text(),
      fragmentId: text().notNull(),
      createdAt: instant().notNull(),
    },
    (t) => [
      unique('model_versions_number').on(t.modelId, t.number),
      index('model_versions_fragment').on(t.fragmentId),
      index('model_versions_job').on(t.jobId).where(sql`${t.jobId} is not null`),
    ],
  );

  return { fragments, models, modelVersions };
}
