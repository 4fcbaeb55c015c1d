/** The jobs and streams that retention has to check, page after page. */
import { and, asc, gt, inArray, isNotNull, sql } from 'drizzle-orm';
import type { StreamRow } from '../schema/tables.ts';
import { batch } from '../statements/batch.ts';
import { type Placeholder, statement } from '../store.ts';

type Page = Placeholder<{ after: string; limit: number }>;

export const openJobsAfter = statement('open jobs after', (db, t, $: Page) =>
  db
    .select({ id: t.jobs.id, finishedAt: t.jobs.finishedAt })
    .from(t.jobs)
    // Written as SQL text, as in the partial index.
    .where(and(gt(t.jobs.id, $('after')), sql`${t.jobs.finishedAt} is null`))
    .orderBy(asc(t.jobs.id))
    .limit($('limit')),
);

export const endedJobsAfter = statement('ended jobs after', (db, t, $: Page) =>
  db
    .select({ id: t.jobs.id, finishedAt: t.jobs.finishedAt })
    .from(t.jobs)
    .where(and(gt(t.jobs.id, $('after')), isNotNull(t.jobs.finishedAt)))
    .orderBy(asc(t.jobs.id))
    .limit($('limit')),
);

/** Devices have streams as well: samples of the whole machine. They have no end. */
export const devicesAfter = statement('devices after', (db, t, $: Page) =>
  db
    .select({ id: t.devices.id, finishedAt: sql<null>`null` })
    .from(t.devices)
    .where(gt(t.devices.id, $('after')))
    .orderBy(asc(t.devices.id))
    .limit($('limit')),
);

export const streamsOfJobs = batch<StreamRow>('streams of jobs', (db, t, jobIds) =>
  db.select().from(t.streams).where(inArray(t.streams.jobId, jobIds)),
);

/** Streams of which a deleted job or device has left entries. */
export const deletedStreams = statement('deleted streams', (db, t, $: Placeholder<{ limit: number }>) =>
  db
    .select()
    .from(t.streams)
    // As text: so it is in the partial index. The feed's own row is no job's.
    .where(sql`${t.streams.isDeleted} and ${t.streams.jobId} > ''`)
    .orderBy(asc(t.streams.jobId))
    .limit($('limit')),
);
