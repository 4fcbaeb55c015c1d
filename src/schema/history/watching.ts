import { jobChanges, jobsChanges } from '../../realtime/live-lists.ts';
import { type Frame, jobStream } from '../../realtime/streams.ts';
import type { ShownJob } from '../../store/queries/jobs.ts';
import type { EventRow } from '../../store/schema/tables.ts';
import { builder } from '../core/builder.ts';
import { viewerOf } from '../core/context.ts';
import { type FrameHead, StreamFrame } from '../core/frames.ts';
import { Job } from '../core/nouns.ts';
import { A_FRAME } from '../core/sizes.ts';
import { watchedJob } from '../jobs/jobs.ts';
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
