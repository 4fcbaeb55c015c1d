import { eq } from 'drizzle-orm';
import type { ProjectRow } from '../schema/tables.ts';
import { insertOf } from '../statements/inserts.ts';
import type { Tx } from '../store.ts';
import { removeJob } from './jobs.ts';

export const insertProject = insertOf('projects');

export async function saveProjectFields({ db, t }: Tx, id: string, fields: Partial<ProjectRow>): Promise<void> {
  await db.update(t.projects).set(fields).where(eq(t.projects.id, id));
}

/** Removes the project with all that it owns; answers the ids of its fragments, whose files are to go, and of its keys. */
export async function removeProject(tx: Tx, id: string): Promise<{ fragmentIds: string[]; keyIds: string[] }> {
  const { db, t } = tx;
  const fragmentIds: string[] = [];
  const jobs = await db.select({ id: t.jobs.id }).from(t.jobs).where(eq(t.jobs.projectId, id));
  for (const job of jobs) fragmentIds.push(...(await removeJob(tx, job.id)));
  const fragments = await db.select({ id: t.fragments.id }).from(t.fragments).where(eq(t.fragments.projectId, id));
  fragmentIds.push(...fragments.map((fragment) => fragment.id));
  const keys = await db.select({ id: t.apiKeys.id }).from(t.apiKeys).where(eq(t.apiKeys.projectId, id));
  await db.delete(t.projects).where(eq(t.projects.id, id));
  return { fragmentIds, keyIds: keys.map((key) => key.id) };
}
