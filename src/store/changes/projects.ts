import { eq } from 'drizzle-orm';
import type { DeviceRow, ProjectRow } from '../schema/tables.ts';
import { insertOf } from '../statements/inserts.ts';
import type { Tx } from '../store.ts';
import { removeDevices } from './devices.ts';
import { type Deletion, removeJobs } from './jobs.ts';

/** Of one statement: many times quicker than one by one. */
const JOBS_AT_ONCE = 200;

export const insertProject = insertOf('projects');

export async function saveProjectFields({ db, t }: Tx, id: string, fields: Partial<ProjectRow>): Promise<void> {
  await db.update(t.projects).set(fields).where(eq(t.projects.id, id));
}

/**
 * Deletes the project and everything that belongs to it. Returns the ids of its fragments, whose
 * files are to be removed, and of its keys, and its devices.
 */
export async function removeProject(
  tx: Tx,
  id: string,
  deletion: Deletion,
): Promise<{ fragmentIds: string[]; keyIds: string[]; devices: DeviceRow[] }> {
  const { db, t } = tx;
  const fragmentIds: string[] = [];
  const jobs = (await db.select({ id: t.jobs.id }).from(t.jobs).where(eq(t.jobs.projectId, id))).map((job) => job.id);
  for (let i = 0; i < jobs.length; i += JOBS_AT_ONCE)
    fragmentIds.push(...(await removeJobs(tx, jobs.slice(i, i + JOBS_AT_ONCE), deletion)));
  const fragments = await db.select({ id: t.fragments.id }).from(t.fragments).where(eq(t.fragments.projectId, id));
  const keys = await db.select({ id: t.apiKeys.id }).from(t.apiKeys).where(eq(t.apiKeys.projectId, id));
  const devices = await db.select().from(t.devices).where(eq(t.devices.projectId, id));
  await removeDevices(
    tx,
    devices.map((device) => device.id),
  );
  await db.delete(t.projects).where(eq(t.projects.id, id));
  return { fragmentIds: [...fragmentIds, ...fragments.map((fragment) => fragment.id)], keyIds: keys.map((key) => key.id), devices };
}
