/** Jobs, by id. */
import { getTableColumns, inArray } from 'drizzle-orm';
import type { JobRow, Tables } from '../schema/tables.ts';
import { batch } from '../statements/batch.ts';
import { ALL_COLUMNS, type Choice, forEachChoice, pickColumns } from '../statements/choice.ts';

/**
 * A job for readers, without `input`: only retryJob needs it, and it would be parsed for each row
 * of a list.
 */
export type ShownJob = Omit<JobRow, 'input'>;

/** Columns that rights and list orders always need. */
const ALWAYS = ['id', 'projectId', 'priority', 'updatedAt'] as const;

export function shownColumns(t: Tables, choice: Choice, also: readonly (keyof ShownJob)[] = []) {
  const { input: _, ...shown } = getTableColumns(t.jobs);
  return pickColumns(shown, choice, [...ALWAYS, ...also]);
}

export function positionColumns(t: Tables, columns: readonly (keyof ShownJob)[]) {
  const all = shownColumns(t, ALL_COLUMNS);
  // Cast: the columns that are left out are not read.
  return Object.fromEntries(['id' as const, ...columns].map((name) => [name, all[name]])) as typeof all;
}

/** Reads the chosen columns of each job. To read another column is a bug: it is undefined. */
export const jobsByIdOf = forEachChoice((choice) =>
  batch<ShownJob>(`jobs by id: ${choice.name}`, (db, t, ids) =>
    db.select(shownColumns(t, choice)).from(t.jobs).where(inArray(t.jobs.id, ids)),
  ),
);
export const jobsById = jobsByIdOf(ALL_COLUMNS);
