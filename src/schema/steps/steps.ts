import { setImmediate as turn } from 'node:timers/promises';
import type { GraphQLResolveInfo } from 'graphql';
import { sees } from '../../domain/access/rights.ts';
import { gone } from '../../domain/core/request-refusals.ts';
import { type Asked, type WhyNot, whyNot } from '../../domain/steps/why-not.ts';
import { MOST_JUDGED } from '../../store/queries/devices.ts';
import type { ShownJob } from '../../store/queries/jobs.ts';
import { queuesById, type ShownStep, stepsById, stepsOfJobs } from '../../store/queries/steps.ts';
import type { QueueRow } from '../../store/schema/tables.ts';
import { forEachChoice } from '../../store/statements/choice.ts';
import { builder } from '../core/builder.ts';
import { chosenColumns, reads } from '../core/chosen-columns.ts';
import { type Context, viewerOf } from '../core/context.ts';
import { StepStatus } from '../core/enums.ts';
import { Label } from '../core/labels.ts';
import { byId, defineLoader, grouped } from '../core/loaders.ts';
import { Node, readNodes } from '../core/node.ts';
import { Device, Job, Step } from '../core/nouns.ts';
import { readsAhead } from '../core/reading-ahead.ts';
import { IN_ITS_ROW, SOME } from '../core/sizes.ts';
import { pinnedDeviceOf } from '../devices.ts';
import { Container } from '../jobs/containers.ts';
import { jobOf } from '../jobs/jobs.ts';
import { Resources } from '../jobs/resources.ts';
import { StepFile } from '../jobs/templates.ts';

/** Null when there is none or the caller may not see it. */
export const stepById = defineLoader<string, ShownStep | null>(async (context, ids) => {
  const principal = viewerOf(context);
  const rows = await stepsById(context.read, ids);
  return byId(
    ids,
    rows.filter((row) => sees(principal, row)),
  );
});
readNodes('Step', stepById);

/**
 * The step of an object that the caller may see: it may see the step too. Throws NOT_FOUND when the
 * step was deleted meanwhile.
 */
export async function stepOf(context: Context, stepId: string): Promise<ShownStep> {
  const step = await stepById.load(context, stepId);
  if (!step) throw gone('step', stepId);
  return step;
}

/** In order of number, for a job that the caller may see. */
const stepsOfJobOf = forEachChoice((choice) =>
  defineLoader<string, ShownStep[]>(async ({ read }, jobIds) =>
    grouped(jobIds, await stepsOfJobs(choice)(read, jobIds), ({ jobId }) => jobId),
  ),
);
/** With what is selected of them, and the columns in `also`. */
export const stepsOfJob = (context: Context, jobId: string, info: GraphQLResolveInfo, also: readonly (keyof ShownStep)[] = []) =>
  stepsOfJobOf(chosenColumns(info, { also })).load(context, jobId);

/** Steps with the same requirements share a queue, which stores them. */
const queueById = defineLoader<string, QueueRow | null>(async ({ read }, ids) => byId(ids, await queuesById(read, ids)));

async function demandOf(context: Context, step: ShownStep): Promise<QueueRow> {
  const queue = await queueById.load(context, step.queueId);
  // Queues are deleted with their project.
  if (!queue) throw gone('step', step.id);
  return queue;
}

/** What judging one step on one device takes of the budget of the answer. */
const CHARACTERS_OF_JUDGING = 64;

const whyNotOf = defineLoader<Asked, WhyNot[]>((context, asked) =>
  whyNot(context.domain, viewerOf(context), asked, async (work) => {
    await turn();
    context.signal?.throwIfAborted();
    context.budget.take(work * CHARACTERS_OF_JUDGING);
  }),
);

const UnmetRequirement = builder.objectRef<WhyNot>('UnmetRequirement').implement({
  description: 'One reason why a step cannot be claimed.',
  fields: (t) => ({
    device: t.expose('device', {
      type: Device,
      nullable: true,
      description: 'The device that does not meet the requirement. Null: the requirement is not about a device.',
    }),
    requirement: t.exposeString('requirement', {
      description:
        'The unmet requirement, for programs: `earlierStep`, `device`, `online`, `draining`, `slots`, `memoryMb`, `cpu`, `gpu`, ' +
        '`gpuModel`, `shm`, `label`, `pinnedDevice`, `project`, `capability`, `preemption`, `reserved`.',
    }),
    explanation: t.exposeString('explanation', { description: 'A sentence for people: what is required and what is available.' }),
  }),
});

Step.implement({
  description: 'The unit of work that a device claims. The steps of a job run one after the other, in order of number.',
  interfaces: [Node],
  fields: (t) => ({
    job: t.field({
      type: Job,
      description: 'The job that it belongs to.',
      extensions: reads<ShownStep>('jobId'),
      resolve: ({ jobId }, _, context, info) => jobOf(context, jobId, info),
    }),
    number: t.exposeInt('number', { description: 'Its number in the job: 0, 1, 2 …' }),
    name: t.exposeString('name', { description: 'Its name. Devices that implement steps themselves recognize them by name.' }),
    status: t.expose('status', { type: StepStatus, description: 'Its status. `transitions` says why.' }),
    statusMessage: t.exposeString('statusMessage', {
      nullable: true,
      description: 'What it last reported it is doing, for people. Null: nothing yet.',
    }),
    container: t.expose('container', {
      type: Container,
      nullable: true,
      description: 'What it runs. Null: the device must implement the step of this name.',
    }),
    resources: t.field({
      type: Resources,
      description: 'The resources that it needs.',
      extensions: reads<ShownStep>('id', 'queueId'),
      resolve: async (step, _, context) => (await demandOf(context, step)).resources,
    }),
    pinnedDevice: t.field({
      type: Device,
      nullable: true,
      description: 'The only device that may claim it. Null: any device that fits, the device was deleted, or this key may not see it.',
      extensions: reads<ShownStep>('id', 'queueId'),
      resolve: async (step, _, context) => pinnedDeviceOf(context, (await demandOf(context, step)).pinnedDeviceId),
    }),
    inputs: t.field({
      type: [StepFile],
      size: IN_ITS_ROW,
      description: 'The files of earlier steps that it starts with.',
      extensions: reads<ShownStep>('inputs'),
      resolve: ({ inputs }) => inputs ?? [],
    }),
    requiredLabels: t.field({
      type: [Label],
      size: IN_ITS_ROW,
      description: 'Labels that its device must have.',
      extensions: reads<ShownStep>('id', 'queueId'),
      resolve: async (step, _, context) => (await demandOf(context, step)).requiredLabels,
    }),
    maxAttempts: t.exposeInt('maxAttempts', {
      description: 'How many reported failures make it FAILED. Lost devices are counted separately. Releases are not counted.',
    }),
    whyNot: t.field({
      type: [UnmetRequirement],
      size: SOME,
      description:
        'Why it cannot be claimed now: the unmet requirements of each device. Empty: it can be claimed, is running, or has ended. ' +
        `Looks at ${MOST_JUDGED} devices at most, those that were seen last; ask for any other by its id.`,
      args: { deviceId: t.arg.id({ description: 'Only for this device. Default: all devices that this key may see.' }) },
      extensions: reads<ShownStep>('id', 'status', 'number', 'priority', 'queueId', 'projectId'),
      resolve: (step, { deviceId }, context) => whyNotOf.load(context, { step, deviceId: deviceId ?? null }),
    }),
    queuedAt: t.expose('queuedAt', { type: 'DateTime', nullable: true, description: 'When it last became claimable. Null: never.' }),
    startedAt: t.expose('startedAt', { type: 'DateTime', nullable: true, description: 'When it was first claimed. Null: never.' }),
    finishedAt: t.expose('finishedAt', { type: 'DateTime', nullable: true, description: 'When it ended. Null: it has not ended.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was created.' }),
  }),
});

builder.objectFields(Job, (t) => ({
  steps: t.field({
    type: [Step],
    size: SOME,
    description: 'Its steps, in order of number.',
    extensions: {
      ...reads<ShownJob>('id'),
      ...readsAhead((context, jobIds, choice) => stepsOfJobOf(choice).readAhead(context, jobIds)),
    },
    resolve: ({ id }, _, context, info) => stepsOfJobOf(chosenColumns(info)).get(context, id),
  }),
  step: t.field({
    type: Step,
    nullable: true,
    description: 'The step with this number. Null when there is none.',
    args: { number: t.arg.int({ required: true, description: 'Its number, starting at 0.' }) },
    extensions: reads<ShownJob>('id'),
    resolve: async ({ id }, { number }, context, info) => (await stepsOfJob(context, id, info))[number] ?? null,
  }),
}));

builder.queryField('step', (t) =>
  t.field({
    type: Step,
    nullable: true,
    description: 'The step with this id. Null when there is none or this key may not see it.',
    args: { id: t.arg.id({ required: true, description: 'Its id: `step_…`.' }) },
    resolve: (_, { id }, context) => stepById.load(context, id),
  }),
);
