import { badRequest } from '../../domain/core/request-refusals.ts';
import { jobList, type ListChange } from '../../realtime/job-list.ts';
import { jobChanges, jobsChanges } from '../../realtime/live-lists.ts';
import { type Frame, jobStream } from '../../realtime/streams.ts';
import type { ShownJob } from '../../store/queries/jobs.ts';
import type { EventRow } from '../../store/schema/tables.ts';
import { builder } from '../core/builder.ts';
import { viewerOf } from '../core/context.ts';
import { type FrameHead, StreamFrame } from '../core/frames.ts';
import { Job } from '../core/nouns.ts';
import { A_FRAME } from '../core/sizes.ts';
import { shownJob, watchedJob } from '../jobs/jobs.ts';
import { checkJobFilter, JobFilter } from '../jobs/lists.ts';
import { type History, historyOf, JobStatusHistory, StatusTransition } from './history.ts';

interface FrameOfStatus extends FrameHead {
  readonly history: History;
  readonly transitions: readonly EventRow[];
}

const StatusFrame = builder.objectRef<FrameOfStatus>('StatusFrame').implement({
  description: 'New changes of the status of a job, and its current status.',
  interfaces: [StreamFrame],
  fields: (t) => ({
    history: t.expose('history', { type: JobStatusHistory, description: 'The status history as it is now.' }),
    transitions: t.expose('transitions', {
      type: [StatusTransition],
      size: A_FRAME,
      description: 'The new changes, in order. May be empty.',
    }),
  }),
});

builder.subscriptionField('jobStatus', (t) =>
  t.field({
    type: StatusFrame,
    description: 'The status changes of one job: the stored changes, then each new one. The stream ends after the job has ended.',
    args: {
      jobId: t.arg.id({ required: true, description: 'The job to watch.' }),
      after: t.arg({ type: 'Cursor', description: 'Continue after this cursor. Default: from the beginning.' }),
    },
    subscribe: async (_, { jobId, after }, context): Promise<AsyncIterable<Frame<EventRow>>> => {
      const job = await watchedJob(context, jobId);
      return jobStream(context.domain, context.wakeups, {
        kind: 'event',
        jobId: job.id,
        after,
        eventTypes: ['JOB_CREATED', 'JOB_STATUS_CHANGED'],
      });
    },
    resolve: async ({ cursor, state, missed, rows }, { jobId }, context) => ({
      cursor,
      state,
      missed,
      transitions: rows,
      history: await historyOf(context, jobId),
    }),
  }),
);

interface FrameOfList extends FrameHead {
  readonly changes: readonly ListChange[];
}

const JobListFrame = builder.objectRef<FrameOfList>('JobListFrame').implement({
  description: 'What came into a live list of jobs, changed in it, or left it. Each job is named once.',
  interfaces: [StreamFrame],
  fields: (t) => ({
    jobs: t.field({
      type: [Job],
      size: A_FRAME,
      description: 'The jobs that are new in the list or have changed, as they are now. At the beginning, the newest first.',
      resolve: async ({ changes }, _, context, info) => {
        const listed = changes.filter(({ isListed }) => isListed);
        const jobs = await Promise.all(listed.map(({ id }) => shownJob(context, id, info)));
        // A job that was deleted in the meantime is told of by a later frame.
        return jobs.filter((job) => job !== null);
      },
    }),
    removedIds: t.field({
      type: ['ID'],
      description:
        'The ids of jobs that no longer match the filter or were deleted. May name jobs that were not in the list, which can be ignored.',
      resolve: ({ changes }) => changes.flatMap(({ id, isListed }) => (isListed ? [] : id)),
    }),
  }),
});

/** Jobs that a live list can begin with. */
const MOST_NEWEST = 1_000;

builder.subscriptionField('jobList', (t) =>
  t.field({
    type: JobListFrame,
    description:
      'A live list of the jobs that the filter matches and this key may see: the newest ones first, then every job that came into ' +
      'the list or changed in it, and the ids of those that left it or were deleted. To follow it, keep a map by id: put `jobs` in, ' +
      'then take `removedIds` out. If `missed` is not 0, retention has deleted events since the cursor: start again without a ' +
      "cursor. A job's first value of a metric (`hasMetric`) is noticed with its next event.",
    args: {
      filter: t.arg({ type: JobFilter, description: 'Selects entries. Default: all.' }),
      newest: t.arg.int({
        required: true,
        defaultValue: 100,
        description: `How many of the newest jobs to begin with: 1 to ${MOST_NEWEST}. Has no effect with \`after\`.`,
      }),
      after: t.arg({
        type: 'Cursor',
        description: 'Continue after this cursor, with the same filter. Default: begin with the newest jobs.',
      }),
    },
    subscribe: (_, { filter, newest, after }, context): Promise<AsyncIterable<Frame<ListChange>>> => {
      checkJobFilter(context, filter);
      if (newest < 1 || newest > MOST_NEWEST) throw badRequest.outOfRange('newest', 1, MOST_NEWEST, newest);
      return jobList(context.domain, context.wakeups, viewerOf(context), { filter: filter ?? {}, newest, after });
    },
    resolve: ({ cursor, state, missed, rows }) => ({ cursor, state, missed, changes: rows }),
  }),
);

builder.subscriptionFields((t) => ({
  jobUpdated: t.field({
    type: Job,
    description:
      'One job: its current state, then its new state after each change of the job, its steps or its files, until it is deleted. ' +
      'Under load, only the newest state is sent. It has no cursor because it always starts with the current state.',
    args: { jobId: t.arg.id({ required: true, description: 'The job to watch.' }) },
    subscribe: async (_, { jobId }, context): Promise<AsyncIterable<ShownJob>> =>
      jobChanges(context.domain, context.wakeups, (await watchedJob(context, jobId)).id),
    resolve: (job) => job,
  }),
  jobsUpdated: t.field({
    type: Job,
    description:
      'A live list: first the newest jobs that the filter matches and this key may see, one by one, then each job again after it ' +
      'changes. Under load, only the newest state is sent. A job that no longer matches the filter is not sent again.',
    args: { filter: t.arg({ type: JobFilter, description: 'Selects entries. Default: all.' }) },
    subscribe: (_, { filter }, context): Promise<AsyncIterable<ShownJob>> => {
      checkJobFilter(context, filter);
      return jobsChanges(context.domain, context.wakeups, viewerOf(context), filter ?? {});
    },
    resolve: (job) => job,
  }),
}));
