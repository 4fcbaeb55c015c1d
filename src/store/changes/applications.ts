/** Applications, as changes read and write them. */
import { and, eq } from 'drizzle-orm';
import { unfinishedJobStatuses } from '../../domain/core/lifecycle.ts';
import { isOneOf } from '../schema/columns.ts';
import type { ApplicationRow } from '../schema/tables.ts';
import { type Placeholder, statement, type Tx } from '../store.ts';

/** Returns false if another application has the name. */
export async function addApplication({ db, t }: Tx, application: ApplicationRow): Promise<boolean> {
  const added = await db.insert(t.applications).values(application).onConflictDoNothing().returning({ id: t.applications.id });
  return added.length === 1;
}

export const applicationByIdForJob = statement('application for job', (db, t, $: Placeholder<{ id: string }>) =>
  db
    .select()
    .from(t.applications)
    .where(eq(t.applications.id, $('id'))),
);

export async function applicationByName({ db, t }: Tx, name: string): Promise<ApplicationRow | undefined> {
  return (await db.select().from(t.applications).where(eq(t.applications.name, name)))[0];
}

export const lockApplication = statement('lock application', (db, t, $: Placeholder<{ id: string }>, { lock }) =>
  lock(
    db
      .select()
      .from(t.applications)
      .where(eq(t.applications.id, $('id'))),
    'wait',
  ),
);

export async function saveApplicationFields({ db, t }: Tx, id: string, fields: Partial<ApplicationRow>): Promise<void> {
  await db.update(t.applications).set(fields).where(eq(t.applications.id, id));
}

export async function removeApplication({ db, t }: Tx, id: string): Promise<void> {
  await db.delete(t.applications).where(eq(t.applications.id, id));
}

/** Returns a job of the application that has not ended, if any. */
export const unfinishedJobOfApplication = statement('unfinished job of application', (db, t, $: Placeholder<{ applicationId: string }>) =>
  db
    .select({ id: t.jobs.id, status: t.jobs.status })
    .from(t.jobs)
    .where(and(eq(t.jobs.applicationId, $('applicationId')), isOneOf(t.jobs.status, unfinishedJobStatuses)))
    .limit(1),
);
