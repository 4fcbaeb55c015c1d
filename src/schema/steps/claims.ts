import { secretsOf } from '../../domain/access/masking.ts';
import { requireRight, scopeOf } from '../../domain/access/rights.ts';
import { type Claim as ClaimShape, claimNextSteps, claimStep, type Lease as LeaseShape } from '../../domain/claims/claims.ts';
import { InvalidInput, InvalidState, NotFound } from '../../domain/core/refusals.ts';
import { badRequest } from '../../domain/core/request-refusals.ts';
import { claimantOf, servedQueues, slotsLeft } from '../../domain/steps/matching.ts';
import { claimableCounts } from '../../realtime/claimable-counts.ts';
import { type ClaimableFilter, claimPosition, countClaimable, listClaimable } from '../../store/queries/claimable.ts';
import type { ShownStep } from '../../store/queries/steps.ts';
import type { DeviceRow } from '../../store/schema/tables.ts';
import { builder } from '../core/builder.ts';
import { connect, defineConnection, forwardArgs, type List } from '../core/connections.ts';
import { type Context, viewerOf } from '../core/context.ts';
import { defineMutation } from '../core/errors.ts';
import { Step } from '../core/nouns.ts';
import { FEW, IN_ITS_ROW } from '../core/sizes.ts';
import { deviceById } from '../devices.ts';

export const Lease = builder.objectRef<LeaseShape>('Lease').implement({
  description: "A device's exclusive hold on a step, until a deadline.",
  fields: (t) => ({
    token: t.exposeString('token', {
      description:
        'The token that proves it. Every report of the attempt needs it. While the lease is current, the token also works as a key ' +
        'for the job.',
    }),
    attempt: t.exposeInt('attempt', { description: 'The number of the attempt that holds it.' }),
    expiresAt: t.expose('expiresAt', {
      type: 'DateTime',
      description: 'When it expires and the step is considered abandoned, unless it is renewed.',
    }),
  }),
});

const SecretVariable = builder.objectRef<{ name: string; value: string }>('SecretVariable').implement({
  description: 'A secret environment variable, for the device that runs the step.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Its name.' }),
    value: t.exposeString('value', { description: 'Its value, as text. The device must mask it in the output of the step.' }),
  }),
});

const secretEnv = 'The secret environment variables of its container, with their values. They are returned nowhere else.';

const Claim = builder.objectRef<ClaimShape>('Claim').implement({
  description: 'A claimed step.',
  fields: (t) => ({
    step: t.expose('step', { type: Step, description: 'The step, now RUNNING.' }),
    lease: t.expose('lease', { type: Lease, description: 'The lease on the step.' }),
    secretEnv: t.field({ type: [SecretVariable], size: IN_ITS_ROW, description: secretEnv, resolve: ({ step }) => secretsOf(step) }),
  }),
});

const deviceId =
  "The device that claims. Default for a device's own key: that device. Default for an EDITOR's key: no device. The attempt " +
  'then names no device, and all steps except pinned ones can be claimed.';
const leaseSeconds = 'How long the lease lasts: 1 to 3600 seconds.';

defineMutation('claimStep', {
  description: 'Claims one given step, if it is queued and the device meets its requirements.',
  input: builder.inputType('ClaimStepInput', {
    description: 'The step to claim.',
    fields: (t) => ({
      jobId: t.id({ required: true, description: 'The job that it belongs to.' }),
      stepNumber: t.int({ required: true, description: 'Its number in the job, starting at 0.' }),
      deviceId: t.id({ description: deviceId }),
      leaseSeconds: t.float({ required: true, defaultValue: 60, description: leaseSeconds }),
    }),
  }),
  payload: builder.objectRef<ClaimShape>('ClaimStepPayload').implement({
    description: 'The step was claimed.',
    fields: (t) => ({
      step: t.expose('step', { type: Step, description: 'The step, now RUNNING.' }),
      lease: t.expose('lease', { type: Lease, description: 'The lease on the step.' }),
      secretEnv: t.field({ type: [SecretVariable], size: IN_ITS_ROW, description: secretEnv, resolve: ({ step }) => secretsOf(step) }),
    }),
  }),
  refusals: [NotFound, InvalidState, InvalidInput],
  decide: claimStep,
});

defineMutation('claimNextSteps', {
  description: 'Claims the next steps that the device can run, by priority, then by age. It can wait for work, so devices need not poll.',
  input: builder.inputType('ClaimNextStepsInput', {
    description: 'Which device claims, how many steps, and how long it waits.',
    fields: (t) => ({
      deviceId: t.id({ description: deviceId }),
      projectId: t.id({ description: 'Only steps of this project. Default: all projects that the device serves.' }),
      limit: t.int({
        required: true,
        defaultValue: 1,
        description: 'The most steps to claim: 1 to 100. Never more than the device has free slots.',
      }),
      leaseSeconds: t.float({ required: true, defaultValue: 60, description: leaseSeconds }),
      waitSeconds: t.float({
        required: true,
        defaultValue: 0,
        description: 'How long to wait for work when there is none: 0 to 50 seconds.',
      }),
    }),
  }),
  payload: builder.objectRef<{ claims: ClaimShape[] }>('ClaimNextStepsPayload').implement({
    description: 'The claimed steps.',
    fields: (t) => ({
      claims: t.expose('claims', {
        type: [Claim],
        size: FEW,
        description: 'The claimed steps, in claim order. Empty when there was no work.',
      }),
    }),
  }),
  refusals: [NotFound, InvalidInput],
  decide: async (domain, principal, input, { wakeups, signal }) => {
    const claimed = await claimNextSteps(domain, principal, input, { wakeups, signal });
    domain.instruments.claims.of({ outcome: claimed.claims.length > 0 ? 'claimed' : 'empty' }).add();
    return claimed;
  },
});

const ClaimableStepFilter = builder.inputType('ClaimableStepFilter', {
  description: 'Selects claimable steps that meet every given condition. A field that is left out or null is no condition.',
  fields: (t) => ({
    projectId: t.id({ description: 'Only those in this project.' }),
    deviceId: t.id({ description: 'Only those that this device could claim now, with its free slots and resources.' }),
  }),
});

const StepConnection = defineConnection('Step', Step, 'steps');

const nothing: List<ShownStep> = { positionOf: claimPosition, read: async () => [], count: async () => 0 };

async function claimableSteps(context: Context, filter: typeof ClaimableStepFilter.$inferInput): Promise<List<ShownStep>> {
  const scope = scopeOf(viewerOf(context));
  if (scope.projectId !== null && filter.projectId != null && scope.projectId !== filter.projectId) return nothing;
  const { read } = context;
  let queueIds: readonly string[] | null = null;
  if (filter.deviceId != null) {
    const device = await deviceById.load(context, filter.deviceId);
    if (!device || device.isDraining) return nothing;
    const claimant = await claimantOf(read, device);
    if (slotsLeft(claimant) === 0) return nothing;
    queueIds = (await servedQueues(read, claimant)).map(({ id }) => id);
  }
  const of: ClaimableFilter = { projectId: filter.projectId ?? scope.projectId, jobId: scope.jobId, queueIds };
  return { positionOf: claimPosition, read: (slice) => listClaimable(read, of, slice), count: () => countClaimable(read, of) };
}

builder.queryField('claimableSteps', (t) =>
  t.field({
    type: StepConnection,
    description: 'The steps that can be claimed now, in claim order: by priority, then by age.',
    args: { filter: t.arg({ type: ClaimableStepFilter, description: 'Selects entries. Default: all.' }), ...forwardArgs },
    resolve: async (_, { filter, ...page }, context) => connect(page, await claimableSteps(context, filter ?? {})),
  }),
);

/** Throws BAD_REQUEST when there is none that the caller may see. */
async function watchedDevice(context: Context, id: string): Promise<DeviceRow> {
  requireRight(viewerOf(context), 'readDevices');
  const device = await deviceById.load(context, id);
  if (!device) throw badRequest.noDevice('deviceId', id);
  return device;
}

builder.subscriptionField('claimableSteps', (t) =>
  t.int({
    description:
      'The number of steps that this device could claim: first the current number, then the new number each time it changes. A ' +
      'device that waits with claimNextSteps does not need it.',
    args: { deviceId: t.arg.id({ required: true, description: 'The device.' }) },
    subscribe: async (_, { deviceId }, context): Promise<AsyncIterable<number>> => {
      const device = await watchedDevice(context, deviceId);
      // Only the device itself counts as a sign of life, not an operator who watches it.
      const isDevice = viewerOf(context).deviceId === device.id;
      return claimableCounts(context.domain, context.wakeups, device.id, isDevice);
    },
    resolve: (count) => count,
  }),
);
