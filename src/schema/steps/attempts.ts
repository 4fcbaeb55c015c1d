import type { ShownStep } from '../../store/queries/steps.ts';
import { attemptsOfSteps } from '../../store/queries/steps.ts';
import type { AttemptRow } from '../../store/schema/tables.ts';
import { builder } from '../core/builder.ts';
import { reads } from '../core/chosen-columns.ts';
import { AttemptOutcome, StatusReason } from '../core/enums.ts';
import { defineLoader, grouped } from '../core/loaders.ts';
import { Attempt, Device, Step } from '../core/nouns.ts';
import { FEW } from '../core/sizes.ts';
import { deviceById } from '../devices.ts';
import { stepOf } from './steps.ts';

const attemptsOfStep = defineLoader<string, AttemptRow[]>(async ({ read }, stepIds) =>
  grouped(stepIds, await attemptsOfSteps(read, stepIds), ({ stepId }) => stepId),
);

Attempt.implement({
  description: 'One attempt at a step, by one device under one lease.',
  fields: (t) => ({
    number: t.exposeInt('number', { description: 'Its number within the step: 1, 2, 3 …' }),
    step: t.field({ type: Step, description: 'The step.', resolve: ({ stepId }, _, context) => stepOf(context, stepId) }),
    device: t.field({
      type: Device,
      nullable: true,
      description: 'The device. Null: an EDITOR claimed the step, the device was deleted, or this key may not see it.',
      resolve: ({ deviceId }, _, context) => (deviceId === null ? null : deviceById.load(context, deviceId)),
    }),
    outcome: t.expose('outcome', { type: AttemptOutcome, description: 'How it ended. RUNNING while it runs.' }),
    reason: t.expose('reason', { type: StatusReason, nullable: true, description: 'Why it ended, for programs. Null while it runs.' }),
    description: t.exposeString('description', { description: 'Why it ended, for people. May be empty.' }),
    exitCode: t.exposeInt('exitCode', { nullable: true, description: 'The exit code of its program, if the device reported one.' }),
    claimedAt: t.expose('claimedAt', { type: 'DateTime', description: 'When it started.' }),
    leaseExpiresAt: t.expose('leaseExpiresAt', {
      type: 'DateTime',
      description: 'When its lease expires unless it is renewed. For an attempt that has ended, when the lease would have expired.',
    }),
    finishedAt: t.expose('finishedAt', { type: 'DateTime', nullable: true, description: 'When it ended. Null while it runs.' }),
  }),
});

builder.objectField(Step, 'attempts', (t) =>
  t.field({
    type: [Attempt],
    size: FEW,
    description: 'Its attempts, in order of number.',
    extensions: reads<ShownStep>('id'),
    resolve: ({ id }, _, context) => attemptsOfStep.load(context, id),
  }),
);
