import type { Lease as LeaseShape } from '../../domain/claims/claims.ts';
import { releaseStep, renewLease } from '../../domain/claims/leases.ts';
import { completeStep, failStep } from '../../domain/claims/outcomes.ts';
import { InvalidInput, InvalidState, StaleLease } from '../../domain/core/refusals.ts';
import type { ShownJob } from '../../store/queries/jobs.ts';
import type { ShownStep } from '../../store/queries/steps.ts';
import { builder } from '../core/builder.ts';
import { StatusReason } from '../core/enums.ts';
import { defineMutation } from '../core/errors.ts';
import { Job, Step } from '../core/nouns.ts';
import { Lease } from './claims.ts';
import { MetricInput } from './reports.ts';

const leaseToken = 'The token that the claim answered.';

interface Renewal {
  readonly lease: LeaseShape;
  readonly isCancelRequested: boolean;
  readonly cancelReason: string | null;
  readonly isPreempted: boolean;
  readonly isDraining: boolean;
}

defineMutation('renewLease', {
  description: 'Keeps a lease, and tells its device whether to stop. Renew at a third of the lease, so that one lost answer does no harm.',
  input: builder.inputType('RenewLeaseInput', {
    description: 'The lease to keep.',
    fields: (t) => ({
      leaseToken: t.string({ required: true, description: leaseToken }),
      leaseSeconds: t.float({ required: true, defaultValue: 60, description: 'How long it lasts from now: 1 to 3600 seconds.' }),
    }),
  }),
  payload: builder.objectRef<Renewal>('RenewLeasePayload').implement({
    description: 'The lease is kept.',
    fields: (t) => ({
      lease: t.expose('lease', { type: Lease, description: 'The lease as it is now.' }),
      isCancelRequested: t.exposeBoolean('isCancelRequested', { description: 'Stop, and end the step: its job is being cancelled.' }),
      cancelReason: t.exposeString('cancelReason', {
        nullable: true,
        description: 'Why it is being cancelled, if that was said, or that it has run for too long.',
      }),
      isPreempted: t.exposeBoolean('isPreempted', { description: 'Stop, and release the step: it has to make room for other work.' }),
      isDraining: t.exposeBoolean('isDraining', { description: 'Finish this, and claim nothing more.' }),
    }),
  }),
  refusals: [StaleLease],
  decide: renewLease,
});

interface EndOfStep {
  readonly step: ShownStep;
  readonly job: ShownJob;
}

defineMutation('completeStep', {
  description:
    'Reports that the step has succeeded: the next one can be claimed, or the job has succeeded. A step of a federated round is completed once the attempt ' +
    'has uploaded its model, a safetensors file: one whose tensors are not those of the start model, or not numbers, is refused with their names.',
  input: builder.inputType('CompleteStepInput', {
    description: 'How the step ended well.',
    fields: (t) => ({
      leaseToken: t.string({ required: true, description: leaseToken }),
      exitCode: t.int({ required: true, defaultValue: 0, description: 'The exit code of its program.' }),
      description: t.string({ description: 'What came of it, for people.' }),
      metrics: t.field({ type: [MetricInput], description: 'Last values of metrics, stored in the same transaction.' }),
      output: t.field({
        type: 'JSONObject',
        description:
          "The job's result document, stored in the same transaction, and as the file output.json: as setJobOutput does. Refused, with the step left as it is, where the job has a file output.json of another type.",
      }),
      numSamples: t.int({
        description:
          'Of a training step of a federated job: how many samples the model saw, 1 or more. Its weight in the mean, where every device gives one.',
      }),
    }),
  }),
  payload: builder.objectRef<EndOfStep>('CompleteStepPayload').implement({
    description: 'The step has succeeded.',
    fields: (t) => ({
      step: t.expose('step', { type: Step, description: 'The step: SUCCEEDED.' }),
      job: t.expose('job', { type: Job, description: 'Its job as it is now.' }),
    }),
  }),
  refusals: [StaleLease, InvalidInput, InvalidState],
  decide: completeStep,
});

defineMutation('failStep', {
  description: 'Reports that the attempt has failed: the step is queued again while its maxAttempts allow it, or its job has failed.',
  input: builder.inputType('FailStepInput', {
    description: 'How the attempt failed.',
    fields: (t) => ({
      leaseToken: t.string({ required: true, description: leaseToken }),
      reason: t.field({
        type: StatusReason,
        required: true,
        defaultValue: 'DEVICE_REPORTED',
        description:
          'Why, for programs. Only what a device can know: DEVICE_REPORTED, EXIT_CODE, IMAGE_PULL_FAILED, OUT_OF_MEMORY and the like.',
      }),
      description: t.string({ description: 'Why, for people.' }),
      exitCode: t.int({ description: 'The exit code of its program, if it had one.' }),
    }),
  }),
  payload: builder.objectRef<EndOfStep>('FailStepPayload').implement({
    description: 'The failure is recorded.',
    fields: (t) => ({
      step: t.expose('step', { type: Step, description: 'The step: FAILED, QUEUED again, or CANCELLED with its job.' }),
      job: t.expose('job', { type: Job, description: 'Its job as it is now.' }),
    }),
  }),
  refusals: [StaleLease, InvalidInput],
  decide: failStep,
});

defineMutation('releaseStep', {
  description:
    'Gives the step back unfinished: it is queued again, and the attempt does not count. One that was being cancelled is CANCELLED.',
  input: builder.inputType('ReleaseStepInput', {
    description: 'The lease to give back.',
    fields: (t) => ({
      leaseToken: t.string({ required: true, description: leaseToken }),
      description: t.string({ description: 'Why, for people.' }),
    }),
  }),
  payload: builder.objectRef<{ step: ShownStep }>('ReleaseStepPayload').implement({
    description: 'The step was given back.',
    fields: (t) => ({ step: t.expose('step', { type: Step, description: 'The step as it is now.' }) }),
  }),
  refusals: [StaleLease],
  decide: releaseStep,
});
