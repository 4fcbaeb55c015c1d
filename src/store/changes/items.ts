import { asc, eq } from 'drizzle-orm';
import { type Placeholder, statement } from '../store.ts';

export const jobItemsOf = statement('job items of', (db, t, $: Placeholder<{ jobId: string }>) =>
  db
    .select()
    .from(t.jobItems)
    .where(eq(t.jobItems.jobId, $('jobId')))
    .orderBy(asc(t.jobItems.position)),
);
