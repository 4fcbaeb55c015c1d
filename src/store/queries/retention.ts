/** The jobs and streams that retention has to check, page after page. */
import { and, asc, eq, getTableColumns, gt, gte, inArray, lt, lte, or, type SQL, sql } from 'drizzle-orm';
import type { StreamKind } from '../../domain/core/vocabulary.ts';
import { isWord, withoutIndex } from '../schema/columns.ts';
import type { StreamRow, Tables } from '../schema/tables.ts';
import { batch } from '../statements/batch.ts';
import { type Database, type Placeholder, type Preparable, statement } from '../store.ts';
import { TIERED_AT_ONCE } from './tiers.ts';

type Page = Placeholder<{ after: string; limit: number }>;
/** Jobs with an id after this one, up to the other. */
type Range = { readonly after: string; readonly upTo: string };

const isOpen = ({ jobs }: Tables): SQL => sql`${jobs.finishedAt} is null`; // written as in the partial index

/** The last of the next `limit` jobs: none if there are fewer. */
export const lastOfOpenJobs = statement('last of open jobs', (db, t, $: Page) => lastOf(db, t, $, isOpen(t)));
export const lastOfJobs = statement('last of jobs', (db, t, $: Page) => lastOf(db, t, $));

const lastOf = (db: Database, { jobs }: Tables, $: Page, condition?: SQL) =>
  db
    .select({ id: jobs.id })
    .from(jobs)
    .where(and(gt(jobs.id, $('after')), condition))
    .orderBy(asc(jobs.id))
    .limit(1)
    .offset($('limit'));

/** What may have to be done on streams. Null: nothing of the kind. */
export interface Due {
  /** Streams of jobs that have ended before this time are deleted. */
  readonly eventsBefore: Date | null;
  readonly logsBefore: Date | null;
  readonly metricsBefore: Date | null;
  readonly telemetryBefore: Date | null;
  /** Logs with more bytes are shortened. */
  readonly logBytes: number | null;
  /** 1: thinned. */
  readonly thinsMetrics: 0 | 1;
  readonly thinsTelemetry: 0 | 1;
}

export interface DueStream extends StreamRow {
  readonly finishedAt: Date | null;
}

/** The streams of these jobs that may have something due. */
export const dueStreamsOfOpenJobs = statement('due streams of open jobs', (db, t, $: Placeholder<Range & Due>) =>
  dueStreams(db, t, $, isOpen(t)),
);
export const dueStreamsOfJobs = statement('due streams of jobs', (db, t, $: Placeholder<Range & Due>) => dueStreams(db, t, $));

function dueStreams(db: Database, { jobs, streams }: Tables, $: Placeholder<Range & Due>, condition?: SQL): Preparable<DueStream[]> {
  const isKind = (kind: StreamKind) => isWord(withoutIndex(streams.kind), kind);
  const isPast = (name: keyof Due) => and(lte(streams.first, streams.last), lt(jobs.finishedAt, $(name, jobs.finishedAt)));
  const isThinned = (name: keyof Due) => and(lt(streams.thinned, streams.last), eq($(name), sql`1`));
  return db
    .select({ ...getTableColumns(streams), finishedAt: jobs.finishedAt })
    .from(jobs)
    .crossJoin(streams)
    .where(
      and(
        gt(jobs.id, $('after')),
        lte(jobs.id, $('upTo')),
        condition,
        eq(streams.jobId, jobs.id),
        or(
          and(isKind('event'), isPast('eventsBefore')),
          and(isKind('log'), or(isPast('logsBefore'), gt(streams.bytes, $('logBytes')), lt(streams.numbered, streams.last))),
          and(
            isKind('metric'),
            or(isPast('metricsBefore'), isThinned('thinsMetrics'), gte(sql`${streams.last} - ${streams.tiered}`, TIERED_AT_ONCE)),
          ),
          and(isKind('telemetry'), or(isPast('telemetryBefore'), isThinned('thinsTelemetry'))),
        ),
      ),
    )
    .orderBy(asc(jobs.id));
}

/** Devices have streams as well: samples of the whole machine. They have no end. */
export const devicesAfter = statement('devices after', (db, t, $: Page) =>
  db
    .select({ id: t.devices.id })
    .from(t.devices)
    .where(gt(t.devices.id, $('after')))
    .orderBy(asc(t.devices.id))
    .limit($('limit')),
);

export const streamsOfDevices = batch<StreamRow>('streams of devices', (db, t, ids) =>
  db.select().from(t.streams).where(inArray(t.streams.jobId, ids)),
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
