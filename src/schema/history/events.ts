import { scopeOf } from '../../domain/access/rights.ts';
import { feed, type StreamName } from '../../domain/core/cursors.ts';
import { badRequest } from '../../domain/core/request-refusals.ts';
import { type Frame, feedStream, jobStream } from '../../realtime/streams.ts';
import { readEventsOfTypes } from '../../store/queries/history.ts';
import type { ShownJob } from '../../store/queries/jobs.ts';
import { readFeedRange, readRange } from '../../store/queries/ranges.ts';
import { readFeed } from '../../store/queries/streams.ts';
import type { EventRow } from '../../store/schema/tables.ts';
import { builder } from '../core/builder.ts';
import { reads } from '../core/chosen-columns.ts';
import { type Context, viewerOf } from '../core/context.ts';
import { EventType } from '../core/enums.ts';
import { type FrameHead, StreamFrame } from '../core/frames.ts';
import { Job } from '../core/nouns.ts';
import { missedText, pageOf, type StreamPage, streamArgs } from '../core/pages.ts';
import { A_FRAME, IN_ITS_PAGE } from '../core/sizes.ts';
import { jobWith, watchedJob } from '../jobs/jobs.ts';
import { seesProject } from '../projects.ts';
import { deletionsIn, Event, eventsOf, JobDeletion, type ShownEvent } from './event-types.ts';

const EventFilter = builder.inputType('EventFilter', {
  description: 'Selects events that meet every given condition. A field that is left out or null is no condition.',
  fields: (t) => ({
    jobId: t.id({ description: 'Only those of this job. Their cursors are valid for this job only.' }),
    projectId: t.id({ description: 'Only those of jobs in this project.' }),
    types: t.field({ type: [EventType], description: 'Only those with one of these types. An empty list matches none.' }),
  }),
});
type Filter = typeof EventFilter.$inferInput;

interface PageOfEvents extends StreamPage<ShownEvent> {
  readonly deletions: readonly EventRow[];
}

const EventPage = builder.objectRef<PageOfEvents>('EventPage').implement({
  description: 'A range of events.',
  fields: (t) => ({
    events: t.expose('rows', { type: [Event], size: IN_ITS_PAGE, description: 'The events, in commit order.' }),
    deletions: t.expose('deletions', {
      type: [JobDeletion],
      size: IN_ITS_PAGE,
      description: 'The deletions of jobs in the same range, in commit order. Always empty for the events of one job.',
    }),
    endCursor: t.expose('endCursor', {
      type: 'Cursor',
      nullable: true,
      description: 'Pass it as `after` to continue, here or in the subscription `events` with the same filter. Null: there are no events.',
    }),
    hasMore: t.exposeBoolean('hasMore', { description: 'Whether more entries are stored after this page.' }),
    missed: t.exposeInt('missed', { description: missedText }),
  }),
});

type PageArgs = Parameters<typeof pageOf>[2];

async function pageOfJob(context: Context, jobId: string, args: PageArgs, types: Filter['types'] = null) {
  const { read } = context;
  const page = await pageOf(context, { kind: 'event', jobId }, args, (after, portion) =>
    readRange(read, { kind: 'event', jobId }, after, () => readEventsOfTypes(read, { jobId, after, types: types ?? null }, portion)),
  );
  return { ...page, rows: await eventsOf(context, page.rows, false), deletions: [] };
}

/** A page of the events of all jobs that the caller may see, or of one project. */
async function pageOfFeed(context: Context, args: PageArgs, projectId: string | null, types: Filter['types']) {
  const { read } = context;
  const page = await pageOf(context, feed, args, (after, portion) =>
    readFeedRange(read, { after, projectId }, () => readFeed(read, { after, projectId, types: types ?? null }, portion)),
  );
  return { ...page, rows: await eventsOf(context, page.rows, true), deletions: deletionsIn(page.rows) };
}

/**
 * The stream of a job that does not exist or that the caller may not see. It has issued no cursor.
 */
const unseen: StreamName = { kind: 'event', jobId: 'unseen' };

/**
 * An empty page, for callers that may see none of a stream. It refuses foreign cursors as any
 * stream does.
 */
const nothing = async (context: Context, stream: StreamName, args: PageArgs): Promise<PageOfEvents> => ({
  ...(await pageOf<ShownEvent>(context, stream, args, async (after) => ({ rows: [], upTo: after, hasMore: false, missed: 0 }))),
  deletions: [],
});

/** The one job that the filter or the key restricts events to. Null: the feed across jobs. */
const oneJob = (context: Context, filter: Filter | null | undefined): string | null => filter?.jobId ?? scopeOf(viewerOf(context)).jobId;

builder.objectField(Job, 'events', (t) =>
  t.field({
    type: EventPage,
    description: 'Its events, oldest first.',
    args: streamArgs,
    extensions: reads<ShownJob>('id'),
    resolve: ({ id }, args, context) => pageOfJob(context, id, args),
  }),
);

builder.queryField('events', (t) =>
  t.field({
    type: EventPage,
    description: 'The events of one job, or of all jobs that the filter matches and this key may see. Oldest first.',
    args: { filter: t.arg({ type: EventFilter, description: 'Selects entries. Default: all.' }), ...streamArgs },
    resolve: async (_, { filter, ...args }, context) => {
      const jobId = oneJob(context, filter);
      const { projectId: ownId } = scopeOf(viewerOf(context));
      const askedId = filter?.projectId ?? null;
      if (jobId !== null) {
        const job = await jobWith(context, jobId, 'projectId');
        if (job === null) return nothing(context, unseen, args);
        if (askedId !== null && askedId !== job.projectId) return nothing(context, { kind: 'event', jobId }, args);
        return pageOfJob(context, jobId, args, filter?.types);
      }
      if (ownId !== null && askedId !== null && ownId !== askedId) return nothing(context, feed, args);
      return pageOfFeed(context, args, askedId ?? ownId, filter?.types);
    },
  }),
);

interface FrameOfEvents extends FrameHead {
  readonly events: readonly ShownEvent[];
  readonly deletions: readonly EventRow[];
}

const EventFrame = builder.objectRef<FrameOfEvents>('EventFrame').implement({
  description: 'New events, in commit order.',
  interfaces: [StreamFrame],
  fields: (t) => ({
    events: t.expose('events', { type: [Event], size: A_FRAME, description: 'The new entries. May be empty.' }),
    deletions: t.expose('deletions', {
      type: [JobDeletion],
      size: A_FRAME,
      description: 'The jobs deleted since the frame before, in commit order. Always empty for the events of one job.',
    }),
  }),
});

builder.subscriptionField('events', (t) =>
  t.field({
    type: EventFrame,
    description:
      'The events of one job, or of all jobs that the filter matches and this key may see. Stored events come first, then each new ' +
      'one when it is committed. For one job, the stream ends after the job has ended.',
    args: {
      filter: t.arg({ type: EventFilter, description: 'Selects entries. Default: all.' }),
      after: t.arg({ type: 'Cursor', description: 'Continue after this cursor. Default: from the beginning.' }),
    },
    subscribe: async (_, { filter, after }, context): Promise<AsyncIterable<Frame<EventRow>>> => {
      const { domain, wakeups } = context;
      const jobId = oneJob(context, filter);
      const projectId = filter?.projectId ?? null;
      if (projectId !== null && !(await seesProject(context, projectId))) {
        throw badRequest.noProject('filter.projectId', projectId);
      }
      if (jobId === null) return feedStream(domain, wakeups, viewerOf(context), { filter, after });
      const job = await watchedJob(context, jobId);
      if (projectId !== null && projectId !== job.projectId) {
        throw badRequest.noJobInProject('filter.jobId', jobId, projectId);
      }
      return jobStream(domain, wakeups, { kind: 'event', jobId: job.id, after, ...(filter?.types ? { eventTypes: filter.types } : {}) });
    },
    resolve: async ({ cursor, state, missed, rows }, { filter }, context) => ({
      cursor,
      state,
      missed,
      events: await eventsOf(context, rows, oneJob(context, filter) === null),
      deletions: deletionsIn(rows),
    }),
  }),
);
