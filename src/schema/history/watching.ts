import { jobChanges, jobsChanges } from '../../realtime/live-lists.ts';
import { type Frame, jobStream } from '../../realtime/streams.ts';
import type { ShownJob } from '../../store/queries/jobs.ts';
import type { EventRow } from '../../store/schema/tables.ts';
import { builder } from '../core/builder.ts';
import { viewerOf } from '../core/context.ts';
import { type FrameHead, StreamFrame } from '../core/frames.ts';
import { Job } from '../core/nouns.ts';
import { A_FRAME } from '../core/sizes.ts';
import { jobOf, watchedJob } from '../jobs/jobs.ts';
import { checkJobFilter, JobFilter } from '../jobs/lists.ts';
import { JobStatusHistory, StatusTransition } from './history.ts';

interface FrameOfStatus extends FrameHead {
  readonly history: ShownJob;
  readonly transitions: readonly EventRow[];
}

const StatusFrame = builder.objectRef<FrameOfStatus>('StatusFrame').implement({
  description: 'Changes of the status of a job that came, and the status that they led to.',
  interfaces: [StreamFrame],
  fields: (t) => ({
    history: t.expose('history', { type: JobStatusHistory, description: 'The status as it is now.' }),
    transitions: t.expose('transitions', { type: [StatusTransition], size: A_FRAME, description: 'What came, in order; may be empty.' }),
  }),
});

builder.subscriptionField('jobStatus', (t) =>
  t.field({
    type: StatusFrame,
    description: 'The status history of one job: each change that is stored, then each as it is made. ENDED once the job has.',
    args: {
      jobId: t.arg.id({ required: true, description: 'The job to watch.' }),
      after: t.arg({ type: 'Cursor', description: 'Go on after this cursor. Default: from the beginning.' }),
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
      history: await jobOf(context, jobId),
    }),
  }),
);

builder.subscriptionFields((t) => ({
  jobUpdated: t.field({
    type: Job,
    description:
      'One job as it is now, then again after each change of it, of its steps or of its files, until it is deleted; under load the newest state wins. ' +
      'It cannot be resumed, and need not be: it begins with the present.',
    args: { jobId: t.arg.id({ required: true, description: 'The job to watch.' }) },
    subscribe: async (_, { jobId }, context): Promise<AsyncIterable<ShownJob>> =>
      jobChanges(context.domain, context.wakeups, (await watchedJob(context, jobId)).id),
    resolve: (job) => job,
  }),
  jobsUpdated: t.field({
    type: Job,
    description:
      'A live list: the newest of the jobs that the filter takes and this key sees, one by one, then each of them again after each change; under load the ' +
      'newest state wins. A job that the filter no longer takes is not heard of again.',
    args: { filter: t.arg({ type: JobFilter, description: 'Which of them. Default: all.' }) },
    subscribe: (_, { filter }, context): Promise<AsyncIterable<ShownJob>> => {
      checkJobFilter(filter);
      return jobsChanges(context.domain, context.wakeups, viewerOf(context), filter ?? {});
    },
    resolve: (job) => job,
  }),
}));
