import { attemptsOfSteps } from '../../store/queries/steps.ts';
import type { AttemptRow } from '../../store/schema/tables.ts';
import { builder } from '../core/builder.ts';
import { AttemptOutcome, StatusReason } from '../core/enums.ts';
import { defineLoader, grouped } from '../core/loaders.ts';
import { Attempt, Device, Step } from '../core/nouns.ts';
import { FEW } from '../core/sizes.ts';
import { deviceById } from '../devices.ts';
import { stepOf } from './steps.ts';

const attemptsOfStep = defineLoader<string, AttemptRow[]>(async ({ domain }, stepIds) =>
  grouped(stepIds, await attemptsOfSteps(domain.store.read, stepIds), ({ stepId }) => stepId),
);

Attempt.implement({
  description: 'One try at a step by one device under one lease.',
  fields: (t) => ({
    number: t.exposeInt('number', { description: 'Which try it is: 1, 2, 3 … without a gap.' }),
    step: t.field({ type: Step, description: 'The step that was tried.', resolve: ({ stepId }, _, context) => stepOf(context, stepId) }),
    device: t.field({
      type: Device,
      nullable: true,
      description: 'The device that tried. Null: a person did, it is gone, or this key may not see it.',
      resolve: ({ deviceId }, _, context) => (deviceId === null ? null : deviceById.load(context, deviceId)),
    }),
    outcome: t.expose('outcome', { type: AttemptOutcome, description: 'How it ended; RUNNING while it has not.' }),
    reason: t.expose('reason', { type: StatusReason, nullable: true, description: 'Why it ended so, for programs. Null while it runs.' }),
    description: t.exposeString('description', { description: 'Why it ended so, for people; may be empty.' }),
    exitCode: t.exposeInt('exitCode', { nullable: true, description: 'The exit code of its program, if the device reported one.' }),
    claimedAt: t.expose('claimedAt', { type: 'DateTime', description: 'When it began.' }),
    leaseExpiresAt: t.expose('leaseExpiresAt', {
      type: 'DateTime',
      description: 'Until when its lease lasts unless it is renewed; once it has ended, until when it would have.',
    }),
    finishedAt: t.expose('finishedAt', { type: 'DateTime', nullable: true, description: 'When it ended. Null while it runs.' }),
  }),
});

builder.objectField(Step, 'attempts', (t) =>
  t.field({
    type: [Attempt],
    size: FEW,
    description: 'Every try at it, in order of number.',
    resolve: ({ id }, _, context) => attemptsOfStep.load(context, id),
  }),
);
