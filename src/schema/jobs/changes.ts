import { IdempotencyConflict, InvalidInput, InvalidState, NotFound, StaleLease } from '../../domain/core/refusals.ts';
import { cancelJob } from '../../domain/jobs/cancellation.ts';
import { setJobOutput } from '../../domain/jobs/outputs.ts';
import { addSteps, deleteJob, updateJob } from '../../domain/jobs/update.ts';
import type { ShownJob } from '../../store/queries/jobs.ts';
import type { ShownStep } from '../../store/queries/steps.ts';
import type { FragmentRow } from '../../store/schema/tables.ts';
import { builder } from '../core/builder.ts';
import { defineMutation } from '../core/errors.ts';
import { Fragment, Job, Step } from '../core/nouns.ts';
import { SOME } from '../core/sizes.ts';
import { changedJobInput } from './fields.ts';
import { JobItemInput } from './items.ts';
import { StepInput } from './templates.ts';

defineMutation('updateJob', {
  description: "Changes a job's own fields. What it runs with (items, settings, dataset) stays as it is once a step has been claimed.",
  input: builder.inputType('UpdateJobInput', {
    description: 'What to change. What is left out or null stays as it is.',
    fields: (t) => ({
      ...changedJobInput(t),
      jobId: t.id({ required: true, description: 'The job to change.' }),
      expectedUpdatedAt: t.field({
        type: 'DateTime',
        description: "The job's updatedAt as you know it: refused if someone has changed the job since. Default: change it in any case.",
      }),
      items: t.field({ type: [JobItemInput], description: 'Its items, all of them. Before its first step is claimed.' }),
      settings: t.field({ type: 'JSONObject', description: 'Its settings, whole. Before its first step is claimed.' }),
    }),
  }),
  payload: builder.objectRef<{ job: ShownJob }>('UpdateJobPayload').implement({
    description: 'The job was changed.',
    fields: (t) => ({ job: t.expose('job', { type: Job, description: 'The job as it is now.' }) }),
  }),
  refusals: [NotFound, InvalidInput, InvalidState],
  decide: updateJob,
});

defineMutation('deleteJob', {
  description: 'Deletes a job that has ended; its steps, files and streams go with it.',
  input: builder.inputType('DeleteJobInput', {
    description: 'The job to delete.',
    fields: (t) => ({ jobId: t.id({ required: true, description: 'Its id. There is no way back.' }) }),
  }),
  payload: builder.objectRef<{ deletedJobId: string }>('DeleteJobPayload').implement({
    description: 'The job is gone.',
    fields: (t) => ({ deletedJobId: t.exposeID('deletedJobId', { description: 'The id that it had.' }) }),
  }),
  refusals: [NotFound, InvalidState],
  decide: deleteJob,
});

defineMutation('cancelJob', {
  description:
    'Cancels a job. One that no device holds is CANCELLED at once; else it is CANCELLING until its devices let go, or until cancelTimeoutSeconds have passed.',
  input: builder.inputType('CancelJobInput', {
    description: 'The job to cancel, and how long to wait for its devices.',
    fields: (t) => ({
      jobId: t.id({ required: true, description: 'The job to cancel.' }),
      reason: t.string({ description: 'Why, for people; its devices are told too.' }),
      cancelTimeoutSeconds: t.float({
        required: true,
        defaultValue: 30,
        description: 'How long its devices have to let go before it is CANCELLED all the same. 0: at once. At most a day.',
      }),
    }),
  }),
  payload: builder.objectRef<{ job: ShownJob }>('CancelJobPayload').implement({
    description: 'The job is cancelled, or on its way there.',
    fields: (t) => ({ job: t.expose('job', { type: Job, description: 'The job as it is now: CANCELLED, or CANCELLING.' }) }),
  }),
  refusals: [NotFound, InvalidState],
  decide: cancelJob,
});

defineMutation('addSteps', {
  description: 'Appends steps to a job that has not ended; they run after those it has.',
  input: builder.inputType('AddStepsInput', {
    description: 'The steps to append.',
    fields: (t) => ({
      jobId: t.id({ required: true, description: 'The job that gets them.' }),
      steps: t.field({ type: [StepInput], required: true, description: 'They, in order.' }),
      idempotencyKey: t.string({
        description: 'Any text of your own: the same key with the same input adds nothing new, and answers the first result.',
      }),
    }),
  }),
  payload: builder.objectRef<{ job: ShownJob; steps: ShownStep[] }>('AddStepsPayload').implement({
    description: 'The steps were added.',
    fields: (t) => ({
      job: t.expose('job', { type: Job, description: 'The job as it is now.' }),
      steps: t.expose('steps', { type: [Step], size: SOME, description: 'The new steps, in order.' }),
    }),
  }),
  refusals: [NotFound, InvalidInput, InvalidState, IdempotencyConflict],
  decide: addSteps,
});

defineMutation('setJobOutput', {
  description:
    'Stores the result document of a job. It is kept as a file of type OUTPUT too, with settings, items and environment beside it and secrets masked. ' +
    "By the job's token, a lease of one of its steps, or an editor.",
  input: builder.inputType('SetJobOutputInput', {
    description: 'The result of a job.',
    fields: (t) => ({
      jobId: t.id({ required: true, description: 'The job that it is of.' }),
      output: t.field({
        type: 'JSONObject',
        required: true,
        description: 'The document: at most 256 KB. It takes the place of an earlier one.',
      }),
      leaseToken: t.string({ description: 'The lease under which a step reports it: refused once that is no longer current.' }),
    }),
  }),
  payload: builder.objectRef<{ job: ShownJob; fragment: FragmentRow }>('SetJobOutputPayload').implement({
    description: 'The result is stored.',
    fields: (t) => ({
      job: t.expose('job', { type: Job, description: 'The job as it is now.' }),
      fragment: t.expose('fragment', {
        type: Fragment,
        description: 'The file: output with settings, items and environment, secrets masked.',
      }),
    }),
  }),
  refusals: [NotFound, InvalidState, StaleLease],
  decide: setJobOutput,
});
