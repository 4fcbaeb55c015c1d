import { gatewayActor } from '../../domain/core/change.ts';
import { encodeCursor } from '../../domain/core/cursors.ts';
import { gone } from '../../domain/core/request-refusals.ts';
import { originsOfSteps, transitionsOfJobs, transitionsOfSteps } from '../../store/queries/history.ts';
import type { ShownJob } from '../../store/queries/jobs.ts';
import type { ShownStep } from '../../store/queries/steps.ts';
import type { EventRow } from '../../store/schema/tables.ts';
import { builder } from '../core/builder.ts';
import { reads } from '../core/chosen-columns.ts';
import type { Context } from '../core/context.ts';
import { JobStatus, StatusReason } from '../core/enums.ts';
import { defineLoader, grouped } from '../core/loaders.ts';
import { Job, Step } from '../core/nouns.ts';
import { FEW } from '../core/sizes.ts';
import { jobWith } from '../jobs/jobs.ts';

const transitionsOfJob = defineLoader<string, EventRow[]>(async ({ read }, jobIds) =>
  grouped(jobIds, await transitionsOfJobs(read, jobIds), ({ jobId }) => jobId),
);
const transitionsOfStep = defineLoader<string, EventRow[]>(async ({ read }, stepIds) =>
  grouped(stepIds, await transitionsOfSteps(read, stepIds), ({ stepId }) => stepId ?? ''),
);
const stepOriginsOfJob = defineLoader<string, EventRow[]>(async ({ read }, jobIds) =>
  grouped(jobIds, await originsOfSteps(read, jobIds), ({ jobId }) => jobId),
);

/** An event that changed a status. */
export type Transition = Pick<EventRow, 'jobId' | 'seq' | 'from' | 'to' | 'reason' | 'description' | 'exitCode' | 'actor' | 'at'>;

export const StatusTransition = builder.objectRef<Transition>('StatusTransition').implement({
  description: 'One change of the status of a job or step.',
  fields: (t) => ({
    cursor: t.field({
      type: 'Cursor',
      description: "The position of its event in the job's stream. Pass it as `after` to jobStatus, or to the events of this job.",
      resolve: ({ jobId, seq }, _, { domain }) => encodeCursor(domain, { kind: 'event', jobId, seq }),
    }),
    from: t.exposeString('from', {
      nullable: true,
      description: 'The old status: a JobStatus or a StepStatus. Null: it was just created.',
    }),
    to: t.string({ description: 'The new status: a JobStatus or a StepStatus.', resolve: ({ to }) => to ?? '' }),
    reason: t.field({ type: StatusReason, description: 'Why, for programs.', resolve: ({ reason }) => reason ?? 'CREATED' }),
    description: t.exposeString('description', { description: 'Why, for people. May be empty.' }),
    exitCode: t.exposeInt('exitCode', { nullable: true, description: 'The exit code that caused it, if any.' }),
    actor: t.exposeString('actor', { description: 'Who did it: the name of a key, or `trainyard` for the gateway itself.' }),
    at: t.expose('at', { type: 'DateTime', description: 'When it happened.' }),
  }),
});

const historyColumns = ['id', 'status', 'reason', 'reasonDescription', 'exitCode', 'createdAt', 'startedAt', 'finishedAt'] as const;

export type History = Pick<ShownJob, (typeof historyColumns)[number]>;

/** Throws NOT_FOUND when the job was deleted meanwhile. */
export async function historyOf(context: Context, jobId: string): Promise<History> {
  const job = await jobWith(context, jobId, ...historyColumns);
  if (!job) throw gone('job', jobId);
  return job;
}

export const JobStatusHistory = builder.objectRef<History>('JobStatusHistory').implement({
  description: 'The current status of a job and every change that led to it.',
  fields: (t) => ({
    status: t.expose('status', { type: JobStatus, description: 'Its status.' }),
    reason: t.expose('reason', { type: StatusReason, description: 'Why it has this status, for programs.' }),
    description: t.exposeString('reasonDescription', { description: 'Why it has this status, for people. May be empty.' }),
    exitCode: t.exposeInt('exitCode', { nullable: true, description: 'The exit code that caused this status, if any.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When the job was created.' }),
    startedAt: t.expose('startedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When its first step was claimed. Null: none has been.',
    }),
    finishedAt: t.expose('finishedAt', { type: 'DateTime', nullable: true, description: 'When it ended. Null: it has not ended.' }),
    transitions: t.field({
      type: [StatusTransition],
      size: FEW,
      description:
        'Each change of the status, oldest first, beginning with the job’s creation. Changes that retention has deleted are left out.',
      resolve: ({ id }, _, context) => transitionsOfJob.load(context, id),
    }),
  }),
});

builder.objectField(Job, 'history', (t) =>
  t.field({
    type: JobStatusHistory,
    description: 'Its current status and every change that led to it.',
    extensions: reads<ShownJob>(...historyColumns),
    resolve: (job) => job,
  }),
);

builder.objectField(Step, 'transitions', (t) =>
  t.field({
    type: [StatusTransition],
    size: FEW,
    description: 'Each change of its status, oldest first, beginning with its creation. Changes that retention has deleted are left out.',
    extensions: reads<ShownStep>('id', 'jobId', 'createdSeq', 'initialStatus', 'createdAt'),
    resolve: async (step, _, context) => {
      const [origins, changes] = await Promise.all([stepOriginsOfJob.load(context, step.jobId), transitionsOfStep.load(context, step.id)]);
      return [beginningOf(step, origins), ...changes];
    },
  }),
);

/**
 * Steps that are created together share one event. The initial status of each is stored in its own
 * row.
 */
function beginningOf(step: ShownStep, origins: readonly EventRow[]): Transition {
  const origin = origins.find(({ seq }) => seq === step.createdSeq);
  return {
    jobId: step.jobId,
    seq: step.createdSeq,
    from: null,
    to: step.initialStatus,
    reason: step.initialStatus === 'BLOCKED' ? 'BLOCKED_BY_STEP' : 'CREATED',
    description: '',
    exitCode: null,
    actor: origin?.actor ?? gatewayActor,
    at: step.createdAt,
  };
}
