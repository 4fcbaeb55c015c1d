/** One row by its id, for decisions. */
import { and, eq } from 'drizzle-orm';
import { type Placeholder, statement } from '../store.ts';

type ById = Placeholder<{ id: string }>;

export const projectById = statement('project by id', (db, t, $: ById) =>
  db
    .select()
    .from(t.projects)
    .where(eq(t.projects.id, $('id'))),
);
export const jobById = statement('job by id', (db, t, $: ById) =>
  db
    .select()
    .from(t.jobs)
    .where(eq(t.jobs.id, $('id'))),
);
export const stepById = statement('step by id', (db, t, $: ById) =>
  db
    .select()
    .from(t.steps)
    .where(eq(t.steps.id, $('id'))),
);
export const stepByNumber = statement('step by number', (db, t, $: Placeholder<{ jobId: string; number: number }>) =>
  db
    .select()
    .from(t.steps)
    .where(and(eq(t.steps.jobId, $('jobId')), eq(t.steps.number, $('number')))),
);
export const deviceById = statement('device by id', (db, t, $: ById) =>
  db
    .select()
    .from(t.devices)
    .where(eq(t.devices.id, $('id'))),
);
export const deviceByName = statement('device by name', (db, t, $: Placeholder<{ projectKey: string; name: string }>) =>
  db
    .select()
    .from(t.devices)
    .where(and(eq(t.devices.projectKey, $('projectKey')), eq(t.devices.name, $('name')))),
);
export const fragmentById = statement('fragment by id', (db, t, $: ById) =>
  db
    .select()
    .from(t.fragments)
    .where(eq(t.fragments.id, $('id'))),
);
export const fragmentByFilename = statement('fragment by filename', (db, t, $: Placeholder<{ scopeId: string; filenameKey: string }>) =>
  db
    .select()
    .from(t.fragments)
    .where(and(eq(t.fragments.scopeId, $('scopeId')), eq(t.fragments.filenameKey, $('filenameKey')))),
);
