import type { Lease as LeaseShape } from '../../domain/claims/claims.ts';
import { releaseStep, renewLease } from '../../domain/claims/leases.ts';
import { completeStep, completeSteps, failStep } from '../../domain/claims/outcomes.ts';
import { InvalidInput, InvalidState, StaleLease } from '../../domain/core/refusals.ts';
import type { ShownJob } from '../../store/queries/jobs.ts';
import type { ShownStep } from '../../store/queries/steps.ts';
import { builder } from '../core/builder.ts';
import { StatusReason } from '../core/enums.ts';
import { answerTo, defineMutation } from '../core/errors.ts';
import { Job, Step } from '../core/nouns.ts';
import { SOME } from '../core/sizes.ts';
import { Lease } from './claims.ts';
import { MetricInput } from './reports.ts';

const leaseToken = 'The token that the claim returned.';

interface Renewal {
  readonly lease: LeaseShape;
  readonly isCancelRequested: boolean;
  readonly cancelReason: string | null;
  readonly isPreempted: boolean;
  readonly isDraining: boolean;
}

defineMutation('renewLease', {
  description:
    'Renews a lease and tells its device whether to stop. Renew after a third of the lease time, so that one lost response does ' +
    'no harm.',
  input: builder.inputType('RenewLeaseInput', {
    description: 'The lease to renew.',
    fields: (t) => ({
      leaseToken: t.string({ required: true, description: leaseToken }),
      leaseSeconds: t.float({ required: true, defaultValue: 60, description: 'How long it lasts from now on: 1 to 3600 seconds.' }),
    }),
  }),
  payload: builder.objectRef<Renewal>('RenewLeasePayload').implement({
    description: 'The lease was renewed.',
    fields: (t) => ({
      lease: t.expose('lease', { type: Lease, description: 'The lease as it is now.' }),
      isCancelRequested: t.exposeBoolean('isCancelRequested', {
        description: 'The device must stop and end the step, because its job is being cancelled.',
      }),
      cancelReason: t.exposeString('cancelReason', {
        nullable: true,
        description: 'Why the job is being cancelled: the given reason, or that it ran for too long.',
      }),
      isPreempted: t.exposeBoolean('isPreempted', {
        description: 'The device must stop and release the step, to make room for more urgent work.',
      }),
      isDraining: t.exposeBoolean('isDraining', { description: 'The device should finish its steps and claim no more.' }),
    }),
  }),
  refusals: [StaleLease],
  decide: renewLease,
});

interface EndOfStep {
  readonly step: ShownStep;
  readonly job: ShownJob;
}

const CompleteStepInput = builder.inputType('CompleteStepInput', {
  description: 'The outcome of the step.',
  fields: (t) => ({
    leaseToken: t.string({ required: true, description: leaseToken }),
    exitCode: t.int({ required: true, defaultValue: 0, description: 'The exit code of its program.' }),
    description: t.string({ description: 'The result, for people.' }),
    metrics: t.field({ type: [MetricInput], description: 'Final values of metrics, stored in the same transaction.' }),
    output: t.field({
      type: 'JSONObject',
      description:
        "The job's result document, stored as by setJobOutput in the same transaction, and as the file output.json. If the job has a " +
        'file output.json of another type, the request is refused and the step is unchanged.',
    }),
    numSamples: t.int({
      description:
        'For a training step of a federated job: the number of samples that the model was trained on, 1 or more. It is the weight in ' +
        'the mean if every device reports one.',
    }),
  }),
});

const CompleteStepPayload = builder.objectRef<EndOfStep>('CompleteStepPayload').implement({
  description: 'The step has succeeded.',
  fields: (t) => ({
    step: t.expose('step', { type: Step, description: 'The step, now SUCCEEDED.' }),
    job: t.expose('job', { type: Job, description: 'Its job as it is now.' }),
  }),
});

const refusalsOfCompletion = [StaleLease, InvalidInput, InvalidState] as const;

defineMutation('completeStep', {
  description:
    'Reports that the step has succeeded. Then the next step can be claimed, or the job has succeeded. In a federated round, the ' +
    'attempt must first upload its model, a safetensors file. A model whose tensors differ from those of the start model, or ' +
    'contain values that are not numbers, is refused with the names of those tensors.',
  input: CompleteStepInput,
  payload: CompleteStepPayload,
  refusals: [...refusalsOfCompletion],
  decide: completeStep,
});

defineMutation('completeSteps', {
  description:
    'Reports that many steps have succeeded. Each is completed or refused by itself, as by completeStep. With steps that take ' +
    'seconds, one request for many of them takes much less time than one for each.',
  input: builder.inputType('CompleteStepsInput', {
    description: 'The outcomes of the steps.',
    fields: (t) => ({
      steps: t.field({
        type: [CompleteStepInput],
        required: true,
        description: 'The outcome of each step: at most 100, each with a lease token of its own.',
      }),
    }),
  }),
  payload: builder.objectRef<{ results: (EndOfStep | Error)[] }>('CompleteStepsPayload').implement({
    description: 'What became of each step.',
    fields: (t) => ({
      results: t.field({
        type: [CompleteStepPayload],
        nullable: { list: false, items: true },
        size: SOME,
        itemErrors: {
          types: [...refusalsOfCompletion],
          union: { name: 'CompleteStepsItem', description: 'What became of one step of completeSteps.' },
        },
        description:
          'The result of each step, in the order of the input. The paths of an InvalidInputError begin at the step. Null for a step ' +
          'that has an entry among the errors of the response.',
        resolve: ({ results }) => results as EndOfStep[], // a refusal among them is one of the other members of the union
      }),
    }),
  }),
  refusals: [InvalidInput],
  decide: async (domain, principal, input) => {
    const settled = await completeSteps(domain, principal, input);
    const of = { mutation: 'completeSteps', refusals: refusalsOfCompletion, domain };
    return { results: settled.map((one) => (one.status === 'fulfilled' ? one.value : asError(answerTo(one.reason, of)))) };
  },
});

const asError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)));

defineMutation('failStep', {
  description:
    'Reports that the attempt has failed. The step is queued again if maxAttempts allows it. Otherwise the step and its job have ' +
    'failed.',
  input: builder.inputType('FailStepInput', {
    description: 'How the attempt failed.',
    fields: (t) => ({
      leaseToken: t.string({ required: true, description: leaseToken }),
      reason: t.field({
        type: StatusReason,
        required: true,
        defaultValue: 'DEVICE_REPORTED',
        description:
          'Why, for programs. Only reasons that a device can know: DEVICE_REPORTED, EXIT_CODE, IMAGE_PULL_FAILED, OUT_OF_MEMORY and ' +
          'the like.',
      }),
      description: t.string({ description: 'Why, for people.' }),
      exitCode: t.int({ description: 'The exit code of its program, if it had one.' }),
    }),
  }),
  payload: builder.objectRef<EndOfStep>('FailStepPayload').implement({
    description: 'The failure was recorded.',
    fields: (t) => ({
      step: t.expose('step', { type: Step, description: 'The step, now FAILED, QUEUED again, or CANCELLED with its job.' }),
      job: t.expose('job', { type: Job, description: 'Its job as it is now.' }),
    }),
  }),
  refusals: [StaleLease, InvalidInput],
  decide: failStep,
});

defineMutation('releaseStep', {
  description:
    'Returns the step unfinished. It is queued again, and the attempt does not count against maxAttempts. A step that was being ' +
    'cancelled becomes CANCELLED.',
  input: builder.inputType('ReleaseStepInput', {
    description: 'The lease to release.',
    fields: (t) => ({
      leaseToken: t.string({ required: true, description: leaseToken }),
      description: t.string({ description: 'Why, for people.' }),
    }),
  }),
  payload: builder.objectRef<{ step: ShownStep }>('ReleaseStepPayload').implement({
    description: 'The step was released.',
    fields: (t) => ({ step: t.expose('step', { type: Step, description: 'The step as it is now.' }) }),
  }),
  refusals: [StaleLease],
  decide: releaseStep,
});
