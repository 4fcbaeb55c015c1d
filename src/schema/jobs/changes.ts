import { IdempotencyConflict, InvalidInput, InvalidState, NotFound, StaleLease } from '../../domain/core/refusals.ts';
import { cancelJob } from '../../domain/jobs/cancellation.ts';
import { setJobOutput } from '../../domain/jobs/outputs.ts';
import { addSteps, deleteJob, updateJob } from '../../domain/jobs/update.ts';
import type { ShownJob } from '../../store/queries/jobs.ts';
import type { ShownStep } from '../../store/queries/steps.ts';
import type { FragmentRow } from '../../store/schema/tables.ts';
import { builder } from '../core/builder.ts';
import { JobType } from '../core/enums.ts';
import { defineMutation } from '../core/errors.ts';
import { Fragment, Job, Step } from '../core/nouns.ts';
import { SOME } from '../core/sizes.ts';
import { changedJobInput } from './fields.ts';
import { JobItemInput } from './items.ts';
import { StepInput } from './templates.ts';

defineMutation('updateJob', {
  description:
    "Changes a job's own fields. What it runs with (its items, settings, dataset, type, application and start model) can be changed only until the first step is claimed.",
  input: builder.inputType('UpdateJobInput', {
    description: 'The changes. A field that is left out or null stays unchanged.',
    fields: (t) => ({
      ...changedJobInput(t),
      jobId: t.id({ required: true, description: 'The job to change.' }),
      expectedUpdatedAt: t.field({
        type: 'DateTime',
        description: 'The `updatedAt` that you last read. The change is refused if the job has changed since. Default: no check.',
      }),
      items: t.field({ type: [JobItemInput], description: 'Replaces all its items. Only before its first step is claimed.' }),
      settings: t.field({ type: 'JSONObject', description: 'Replaces its settings. Only before its first step is claimed.' }),
      type: t.field({ type: JobType, description: 'Its purpose. Only before its first step is claimed.' }),
      applicationId: t.id({
        description:
          'Another application. Its items are then `items` and the defaults of that application; `settings` have to be given where ' +
          'it has a schema for them. What its steps run stays. Only before its first step is claimed.',
      }),
      startModelId: t.id({
        description:
          'Another model of its project, whose newest version it starts from, as in createJob. Not in a federated job. Only before ' +
          'its first step is claimed.',
      }),
      startModelVersionId: t.id({
        description: 'Another model version to start from, as in createJob. Not in a federated job. Only before its first step is claimed.',
      }),
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
  description: 'Deletes a job that has ended, with its steps, files and streams.',
  input: builder.inputType('DeleteJobInput', {
    description: 'The job to delete.',
    fields: (t) => ({ jobId: t.id({ required: true, description: 'Its id. Deleting cannot be undone.' }) }),
  }),
  payload: builder.objectRef<{ deletedJobId: string }>('DeleteJobPayload').implement({
    description: 'The job was deleted.',
    fields: (t) => ({ deletedJobId: t.exposeID('deletedJobId', { description: 'Its former id.' }) }),
  }),
  refusals: [NotFound, InvalidState],
  decide: deleteJob,
});

defineMutation('cancelJob', {
  description:
    'Cancels a job. If no device holds a step of it, it is CANCELLED at once. Otherwise it is CANCELLING until its devices stop ' +
    'or cancelTimeoutSeconds have passed.',
  input: builder.inputType('CancelJobInput', {
    description: 'The job to cancel, and how long to wait for its devices.',
    fields: (t) => ({
      jobId: t.id({ required: true, description: 'The job to cancel.' }),
      reason: t.string({ description: 'Why, for people. Its devices see it too.' }),
      cancelTimeoutSeconds: t.float({
        required: true,
        defaultValue: 30,
        description: 'How long its devices have to stop before it is CANCELLED anyway: 0 (at once) to a day.',
      }),
    }),
  }),
  payload: builder.objectRef<{ job: ShownJob }>('CancelJobPayload').implement({
    description: 'The job is cancelled or being cancelled.',
    fields: (t) => ({ job: t.expose('job', { type: Job, description: 'The job, now CANCELLED or CANCELLING.' }) }),
  }),
  refusals: [NotFound, InvalidState],
  decide: cancelJob,
});

defineMutation('addSteps', {
  description: 'Appends steps to a job that has not ended. They run after its other steps.',
  input: builder.inputType('AddStepsInput', {
    description: 'The steps to append.',
    fields: (t) => ({
      jobId: t.id({ required: true, description: 'The job to extend.' }),
      steps: t.field({ type: [StepInput], required: true, description: 'The steps, in order.' }),
      idempotencyKey: t.string({
        description: 'Any text you choose. A repeated request with the same key and input adds nothing and returns the first result.',
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
    'Stores the result document of a job. It is also stored as a file of type OUTPUT, together with settings, items and ' +
    "environment, with secrets masked. Allowed for the job's key, a lease of one of its steps, and an EDITOR.",
  input: builder.inputType('SetJobOutputInput', {
    description: 'The result of a job.',
    fields: (t) => ({
      jobId: t.id({ required: true, description: 'The job that it belongs to.' }),
      output: t.field({
        type: 'JSONObject',
        required: true,
        description: 'The document: at most 256 KB. It replaces an earlier one.',
      }),
      leaseToken: t.string({ description: 'The lease of the step that reports it. Refused when that lease is no longer current.' }),
    }),
  }),
  payload: builder.objectRef<{ job: ShownJob; fragment: FragmentRow }>('SetJobOutputPayload').implement({
    description: 'The result is stored.',
    fields: (t) => ({
      job: t.expose('job', { type: Job, description: 'The job as it is now.' }),
      fragment: t.expose('fragment', {
        type: Fragment,
        description: 'The file: output, settings, items and environment, with secrets masked.',
      }),
    }),
  }),
  refusals: [NotFound, InvalidState, StaleLease],
  decide: setJobOutput,
});
