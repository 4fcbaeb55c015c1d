import { IdempotencyConflict, InvalidInput, InvalidState, NotFound } from '../../domain/core/refusals.ts';
import { type CreatedJob, createJob, retryJob, triggerJob } from '../../domain/jobs/creation.ts';
import { builder } from '../core/builder.ts';
import { JobInitiator, JobType } from '../core/enums.ts';
import { defineMutation } from '../core/errors.ts';
import { Job } from '../core/nouns.ts';
import { ContainerInput } from './containers.ts';
import { FederationInput } from './federation-input.ts';
import { newJobInput } from './fields.ts';
import { JobItemInput } from './items.ts';
import { StepInput } from './templates.ts';

const idempotencyKey =
  'Any text of your own: the same key with the same input makes nothing new, and answers the first result. Kept for a week.';

/** createJob, triggerJob and retryJob answer alike. */
function createdJob(name: string, description: string) {
  return builder.objectRef<CreatedJob>(name).implement({
    description,
    fields: (t) => ({
      job: t.expose('job', { type: Job, description: 'The new job; of a replay, the one of that time as it is now.' }),
      token: t.exposeString('token', {
        description: 'A key that is good for this job alone, shown this once; it ends when the job does. Empty for a replay.',
      }),
      isReplay: t.exposeBoolean('isReplay', { description: 'Whether the idempotency key had come before: nothing was made.' }),
    }),
  });
}

const SettingOverrideInput = builder.inputType('SettingOverrideInput', {
  description: 'One setting, by its place in the settings: what a command line can say.',
  fields: (t) => ({
    path: t.string({
      required: true,
      description: 'Where, as keys with dots between: `optimizer.learning_rate`. What is not there is made.',
    }),
    value: t.field({ type: 'JSON', description: 'What it is to be. Default: null.' }),
  }),
});

defineMutation('createJob', {
  description:
    'Makes a job: from `steps`, from one `container`, or bare with one step that a device knows by its name. Its first step can be claimed at once.',
  input: builder.inputType('CreateJobInput', {
    description: 'The job to make.',
    fields: (t) => ({
      ...newJobInput(t),
      projectId: t.id({ required: true, description: 'The project that will own it.' }),
      experimentId: t.id({
        description:
          'The experiment in whose queue it stands: it waits for those before it, and starts from the newest model that they produced.',
      }),
      applicationId: t.id({
        description: 'The kind of job that it is: says which items and settings it takes, and fills up what is left out here.',
      }),
      type: t.field({ type: JobType, required: true, defaultValue: 'TRAINING', description: 'What it is for.' }),
      initiator: t.field({ type: JobInitiator, required: true, defaultValue: 'MANUAL', description: 'What started it.' }),
      items: t.field({ type: [JobItemInput], description: 'Its named, typed settings. Of an application: those that it defines.' }),
      settings: t.field({
        type: 'JSONObject',
        description:
          "Its other settings, nested as you like: at most 256 KB as JSON. What is left out is as the application's schema has it.",
      }),
      settingsOverrides: t.field({ type: [SettingOverrideInput], description: 'Single settings that are put over `settings`, in order.' }),
      steps: t.field({ type: [StepInput], description: 'Its steps, in order. Default: one step named Run.' }),
      container: t.field({
        type: ContainerInput,
        description: "What its only step runs. Not together with `steps`. Default: the application's.",
      }),
      federation: t.field({
        type: FederationInput,
        description: 'Makes it a federated job, whose rounds make its steps. Not together with `steps`.',
      }),
      modelId: t.id({
        description:
          'Of a TRAINING job: the model of its project that it adds a version to when it succeeds. Default: a new model, named after the job.',
      }),
      startModelVersionId: t.id({
        description: 'The model version that it starts from. Only where its application supports continual training.',
      }),
      idempotencyKey: t.string({ description: idempotencyKey }),
    }),
  }),
  payload: createdJob('CreateJobPayload', 'The job was made.'),
  refusals: [NotFound, InvalidInput, IdempotencyConflict],
  decide: createJob,
});

defineMutation('triggerJob', {
  description: "Starts a job of a project from the project's pipeline.",
  input: builder.inputType('TriggerJobInput', {
    description: 'Whose pipeline to start.',
    fields: (t) => ({
      projectId: t.id({ required: true, description: 'The project.' }),
      initiator: t.field({ type: JobInitiator, required: true, defaultValue: 'MANUAL', description: 'What starts it.' }),
      name: t.string({ description: "What people will call the job. Default: the project's name." }),
      idempotencyKey: t.string({ description: idempotencyKey }),
    }),
  }),
  payload: createdJob('TriggerJobPayload', 'The job was made from the pipeline.'),
  refusals: [NotFound, InvalidInput, IdempotencyConflict],
  decide: triggerJob,
});

defineMutation('retryJob', {
  description: 'Makes a new job with the same input as one that has ended; that one stays as it is.',
  input: builder.inputType('RetryJobInput', {
    description: 'The job to run again.',
    fields: (t) => ({
      jobId: t.id({ required: true, description: 'A job that has ended.' }),
      idempotencyKey: t.string({ description: idempotencyKey }),
    }),
  }),
  payload: createdJob('RetryJobPayload', 'The new job was made.'),
  refusals: [NotFound, InvalidState, IdempotencyConflict],
  decide: retryJob,
});
