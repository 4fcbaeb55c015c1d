import { devicesByIds } from '../../store/queries/devices.ts';
import { participantsOfRounds, roundsOfJobs } from '../../store/queries/federations.ts';
import type { ShownStep } from '../../store/queries/steps.ts';
import type { DeviceRow, FragmentRow, ParticipantRow, RoundRow } from '../../store/schema/tables.ts';
import type { Pair } from '../../store/statements/batch.ts';
import { builder } from '../core/builder.ts';
import { reads } from '../core/chosen-columns.ts';
import type { Context } from '../core/context.ts';
import { ParticipantStatus, RoundStatus, StepPart } from '../core/enums.ts';
import { byId, defineLoader, grouped } from '../core/loaders.ts';
import { Device, Fragment, Step } from '../core/nouns.ts';
import { SOME } from '../core/sizes.ts';
import { fragmentOf, startModelOf } from '../files/fragments.ts';
import { stepOf } from '../steps/steps.ts';

/** In order of number, for a job that the caller may see. */
export const roundsOfJob = defineLoader<string, RoundRow[]>(async ({ read }, jobIds) =>
  grouped(jobIds, await roundsOfJobs(read, jobIds), ({ jobId }) => jobId),
);

/** The round of a job that the caller may see. Null: there is none with this number. */
export async function roundOf(context: Context, jobId: string, number: number): Promise<RoundRow | null> {
  // Rounds are numbered from 1 without a gap.
  return (await roundsOfJob.load(context, jobId))[number - 1] ?? null;
}

/**
 * The device of an object that the caller may see: it may see the device too. A key of one job sees
 * only the devices of that job. Null: the device was deleted.
 */
const deviceOf = defineLoader<string, DeviceRow | null>(async ({ read }, ids) => byId(ids, await devicesByIds(read, ids)));

interface ShownParticipant extends ParticipantRow {
  readonly device: DeviceRow;
}

/** In order of selection, by `job round`. */
const selectedFor = defineLoader<string, ParticipantRow[]>(async ({ read }, keys) => {
  const rounds = keys.map((key): Pair => {
    const [jobId = '', round = ''] = key.split(' ');
    return [jobId, Number(round)];
  });
  return grouped(keys, await participantsOfRounds(read, rounds), ({ jobId, round }) => `${jobId} ${round}`);
});

const selectedForRound = (context: Context, { jobId, number }: Pick<RoundRow, 'jobId' | 'number'>) =>
  selectedFor.load(context, `${jobId} ${number}`);

/** In order of selection. Participants whose device was deleted are left out. */
export async function participantsOfRound(context: Context, round: Pick<RoundRow, 'jobId' | 'number'>): Promise<ShownParticipant[]> {
  const shown = (await selectedForRound(context, round)).map(async (row) => {
    const device = await deviceOf.load(context, row.deviceId);
    return device && { ...row, device };
  });
  return (await Promise.all(shown)).filter((participant) => participant !== null);
}

interface Submitted extends ShownParticipant {
  readonly fragment: FragmentRow;
}

/**
 * In the order in which their devices were selected. Models whose file was deleted are left out.
 */
export async function modelsOfRound(context: Context, round: Pick<RoundRow, 'jobId' | 'number'>): Promise<Submitted[]> {
  const models = (await participantsOfRound(context, round)).map(async (participant) => {
    const fragment = participant.fragmentId === null ? null : await fragmentOf.load(context, participant.fragmentId);
    return fragment && { ...participant, fragment };
  });
  return (await Promise.all(models)).filter((model) => model !== null);
}

const Participant = builder.objectRef<ShownParticipant>('Participant').implement({
  description: 'A device in a round.',
  fields: (t) => ({
    device: t.expose('device', { type: Device, description: 'The device that was selected.' }),
    step: t.field({
      type: Step,
      description: 'The training step, which only this device may claim.',
      resolve: ({ stepId }, _, context) => stepOf(context, stepId),
    }),
    status: t.expose('status', { type: ParticipantStatus, description: 'Its status.' }),
  }),
});

export const DeviceModel = builder.objectRef<Submitted>('DeviceModel').implement({
  description: 'The model that a device submitted to a round.',
  fields: (t) => ({
    device: t.expose('device', { type: Device, description: 'The device that trained it.' }),
    fragment: t.expose('fragment', { type: Fragment, description: 'The file that contains it.' }),
    numSamples: t.exposeInt('numSamples', {
      nullable: true,
      description:
        'The number of samples that it was trained on. It is the weight in the mean if every device reports one. Null: this device ' +
        'reported none.',
    }),
    metrics: t.expose('metrics', { type: 'JSONObject', description: 'The newest value of each metric that its step reported, by name.' }),
    isLate: t.boolean({
      description: 'Whether it arrived after the quorum was reached. A late model is kept, but is not part of the aggregate.',
      resolve: ({ status }) => status === 'LATE',
    }),
  }),
});

export const Round = builder.objectRef<RoundRow>('Round').implement({
  description:
    'One round of a federated job. The selected devices train with their own data. Once the quorum of models has arrived, they ' +
    'are aggregated.',
  fields: (t) => ({
    number: t.exposeInt('number', { description: 'Its number: 1, 2, 3 …' }),
    status: t.expose('status', { type: RoundStatus, description: 'Its status.' }),
    quorum: t.exposeInt('quorum', { description: 'The number of models that it needs.' }),
    submitted: t.int({
      description: 'The number of models that arrived in time.',
      resolve: async (round, _, context) => (await selectedForRound(context, round)).filter(({ status }) => status === 'SUBMITTED').length,
    }),
    participants: t.field({
      type: [Participant],
      size: SOME,
      description: 'The selected devices, in order of selection. Deleted devices are left out.',
      resolve: (round, _, context) => participantsOfRound(context, round),
    }),
    models: t.field({
      type: [DeviceModel],
      size: SOME,
      description: 'The submitted models, including late ones. Models whose device or file was deleted are left out.',
      resolve: (round, _, context) => modelsOfRound(context, round),
    }),
    startModel: t.field({
      type: Fragment,
      nullable: true,
      description:
        "The model that its devices started from: the aggregate of the previous round, or the job's start model. Null: there is " +
        'none, the file was deleted, or this key may not see it.',
      resolve: (round, _, context) => startModelOf(context, round),
    }),
    aggregateModel: t.field({
      type: Fragment,
      nullable: true,
      description: 'Its aggregate. Null: there is none yet, the round failed, or the file was deleted.',
      resolve: ({ aggregateModelId }, _, context) => (aggregateModelId === null ? null : fragmentOf.load(context, aggregateModelId)),
    }),
    metrics: t.expose('metrics', {
      type: 'JSONObject',
      description:
        'For each metric that all its devices reported, the mean, weighted like the models; and the metrics that the aggregating ' +
        'step reported itself. Empty until the round has succeeded.',
    }),
    isWeighted: t.exposeBoolean('isWeighted', {
      nullable: true,
      description:
        'Whether the mean is weighted by numSamples. It is if every device reported numSamples. Null until the round has succeeded.',
    }),
    startedAt: t.expose('startedAt', { type: 'DateTime', description: 'When its devices were selected.' }),
    deadlineAt: t.expose('deadlineAt', {
      type: 'DateTime',
      nullable: true,
      description:
        "When the round must have its models. If the job's maximum duration ends earlier, or the models have arrived, the end of " +
        'that duration. Null: no deadline.',
    }),
    finishedAt: t.expose('finishedAt', { type: 'DateTime', nullable: true, description: 'When it ended. Null: it has not ended.' }),
  }),
});

builder.objectFields(Step, (t) => ({
  round: t.field({
    type: Round,
    nullable: true,
    description: 'For a step of a federated job: its round. Otherwise null.',
    extensions: reads<ShownStep>('jobId', 'round'),
    resolve: ({ jobId, round }, _, context) => (round === null ? null : roundOf(context, jobId, round)),
  }),
  part: t.expose('part', {
    type: StepPart,
    nullable: true,
    description: 'For a step of a federated job: what it does in its round. Otherwise null.',
  }),
}));
