import { IdempotencyConflict, InvalidInput, InvalidState, NotFound } from '../../domain/core/refusals.ts';
import { type CreatedJob, createJob, retryJob, triggerJob } from '../../domain/jobs/creation.ts';
import { builder } from '../core/builder.ts';
import { JobInitiator, JobType } from '../core/enums.ts';
import { defineMutation } from '../core/errors.ts';
import { Job } from '../core/nouns.ts';
import { JobCodeInput } from './code.ts';
import { ContainerInput } from './containers.ts';
import { FederationInput } from './federation-input.ts';
import { newJobInput } from './fields.ts';
import { JobItemInput } from './items.ts';
import { StepInput } from './templates.ts';

const idempotencyKey =
  'Any text you choose. A repeated request with the same key and input creates nothing and returns the first result. Keys are ' +
  'kept for a week.';

/** The payload of createJob, triggerJob and retryJob. */
function createdJob(name: string, description: string) {
  return builder.objectRef<CreatedJob>(name).implement({
    description,
    fields: (t) => ({
      job: t.expose('job', { type: Job, description: 'The new job. For a replay, the job created by the first request, as it is now.' }),
      token: t.exposeString('token', {
        description: 'A key for this job only, shown only once. It ends with the job. Empty for a replay.',
      }),
      isReplay: t.exposeBoolean('isReplay', { description: 'Whether the idempotency key was used before, so that nothing was created.' }),
    }),
  });
}

const SettingOverrideInput = builder.inputType('SettingOverrideInput', {
  description: 'One setting and its dot path, as a command-line flag would set it.',
  fields: (t) => ({
    path: t.string({
      required: true,
      description: 'The keys to the setting, separated by dots: `optimizer.learning_rate`. Missing objects are created.',
    }),
    value: t.field({ type: 'JSON', description: 'The value. Default: null.' }),
  }),
});

defineMutation('createJob', {
  description:
    'Creates a job from `steps`, from one `container`, or with one step that a device implements itself. The first step can be ' +
    'claimed at once.',
  input: builder.inputType('CreateJobInput', {
    description: 'The job to create.',
    fields: (t) => ({
      ...newJobInput(t),
      projectId: t.id({ required: true, description: 'The project that owns it.' }),
      experimentId: t.id({
        description: 'The experiment to queue it in. It waits for the jobs before it and starts from the newest model that they produced.',
      }),
      applicationId: t.id({
        description: 'The application. It defines the items and settings that the job takes, and supplies what is left out here.',
      }),
      type: t.field({ type: JobType, required: true, defaultValue: 'TRAINING', description: 'Its purpose.' }),
      initiator: t.field({ type: JobInitiator, required: true, defaultValue: 'MANUAL', description: 'What started it.' }),
      items: t.field({
        type: [JobItemInput],
        description: 'Its named, typed settings. With an application, only the items that it defines.',
      }),
      settings: t.field({
        type: 'JSONObject',
        description: "Its other settings, of any structure: at most 256 KB as JSON. The application's schema supplies defaults.",
      }),
      settingsOverrides: t.field({
        type: [SettingOverrideInput],
        description: 'Single settings that override `settings`, applied in order.',
      }),
      steps: t.field({ type: [StepInput], description: 'Its steps, in order. Default: one step named Run.' }),
      container: t.field({
        type: ContainerInput,
        description: "What its only step runs. Cannot be combined with `steps`. Default: the application's.",
      }),
      code: t.field({
        type: JobCodeInput,
        description: 'The code that travels with it, into the working folder of each of its steps. Default: none.',
      }),
      federation: t.field({
        type: FederationInput,
        description: 'Makes it a federated job, whose rounds create its steps. Cannot be combined with `steps`.',
      }),
      modelId: t.id({
        description:
          'For a TRAINING job: the model of its project that gets a new version when the job succeeds. Default: a new model, named ' +
          'after the job.',
      }),
      startModelId: t.id({
        description:
          'A model of its project, whose newest version it starts from. Its application must support continual training. Cannot be ' +
          'combined with `startModelVersionId`.',
      }),
      startModelVersionId: t.id({
        description: 'The model version that it starts from. Its application must support continual training.',
      }),
      idempotencyKey: t.string({ description: idempotencyKey }),
    }),
  }),
  payload: createdJob('CreateJobPayload', 'The job was created.'),
  refusals: [NotFound, InvalidInput, IdempotencyConflict],
  decide: createJob,
});

defineMutation('triggerJob', {
  description: "Starts a job of a project from the project's pipeline.",
  input: builder.inputType('TriggerJobInput', {
    description: 'The project whose pipeline to start.',
    fields: (t) => ({
      projectId: t.id({ required: true, description: 'The project.' }),
      initiator: t.field({ type: JobInitiator, required: true, defaultValue: 'MANUAL', description: 'What started it.' }),
      name: t.string({ description: "The name of the job. Default: the project's name." }),
      code: t.field({ type: JobCodeInput, description: 'The code that travels with it. Default: none.' }),
      idempotencyKey: t.string({ description: idempotencyKey }),
    }),
  }),
  payload: createdJob('TriggerJobPayload', 'The job was created from the pipeline.'),
  refusals: [NotFound, InvalidInput, IdempotencyConflict],
  decide: triggerJob,
});

defineMutation('retryJob', {
  description: 'Creates a new job with the same input as a job that has ended. The old job is unchanged.',
  input: builder.inputType('RetryJobInput', {
    description: 'The job to run again.',
    fields: (t) => ({
      jobId: t.id({ required: true, description: 'A job that has ended.' }),
      idempotencyKey: t.string({ description: idempotencyKey }),
    }),
  }),
  payload: createdJob('RetryJobPayload', 'The new job was created.'),
  refusals: [NotFound, InvalidState, IdempotencyConflict],
  decide: retryJob,
});
