/** Projects, applications and experiments. */
import { sql } from 'drizzle-orm';
import type { Container, ItemDefinition, StepTemplate } from '../../domain/core/vocabulary.ts';
import type { Kit } from './columns.ts';

export type ProjectTables = ReturnType<typeof projectTables>;

export function projectTables(kit: Kit) {
  const { table, text, bool, instant, longJson, document, index, unique } = kit;
  const cascade = { onDelete: 'cascade' } as const;

  const projects = table('projects', {
    id: text().primaryKey(),
    name: text().notNull(),
    gitRepository: text(),
    pipeline: longJson<readonly StepTemplate[]>().notNull(),
    createdAt: instant().notNull(),
    updatedAt: instant().notNull(),
  });

  /** The catalogue: the items and settings of each kind of job. */
  const applications = table(
    'applications',
    {
      id: text().primaryKey(),
      name: text().notNull(),
      description: text(),
      itemDefinitions: longJson<readonly ItemDefinition[]>().notNull(),
      settingsSchema: document<Record<string, unknown>>(),
      container: longJson<Container>(),
      supportsContinualTraining: bool().notNull(),
      createdAt: instant().notNull(),
      updatedAt: instant().notNull(),
    },
    (t) => [unique('applications_name').on(t.name)],
  );

  /**
   * An ordered queue of jobs, each of which starts from the model that the one before it produced.
   */
  const experiments = table(
    'experiments',
    {
      id: text().primaryKey(),
      projectId: text()
        .notNull()
        .references(() => projects.id, cascade),
      name: text().notNull(),
      hyperparameters: document<Record<string, unknown>>().notNull(),
      /** A fragment: the start model of the first job. */
      startModelId: text(),
      createdAt: instant().notNull(),
      updatedAt: instant().notNull(),
    },
    (t) => [
      index('experiments_project').on(t.projectId, t.id),
      index('experiments_start_model').on(t.startModelId).where(sql`${t.startModelId} is not null`),
    ],
  );

  return { projects, applications, experiments };
}
