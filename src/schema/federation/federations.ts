import { federationsOfJobs } from '../../store/queries/federations.ts';
import type { ShownJob } from '../../store/queries/jobs.ts';
import type { FederationRow, RoundRow } from '../../store/schema/tables.ts';
import { builder } from '../core/builder.ts';
import { reads } from '../core/chosen-columns.ts';
import type { Context } from '../core/context.ts';
import { DeviceSelectionStrategy } from '../core/enums.ts';
import { defineLoader } from '../core/loaders.ts';
import { Device, Fragment, Job } from '../core/nouns.ts';
import { IN_ITS_ROW, SOME } from '../core/sizes.ts';
import { fragmentOf, startModelOf } from '../files/fragments.ts';
import { Container } from '../jobs/containers.ts';
import { jobWith } from '../jobs/jobs.ts';
import { criteriaOf, TerminationCriterion } from './criteria.ts';
import { DeviceModel, modelsOfRound, participantsOfRound, Round, roundsOfJob } from './rounds.ts';

/** The federation of a job that the caller may see. Null: it is not a federated job. */
const federationOf = defineLoader<string, FederationRow | null>(async ({ read }, jobIds) => {
  const found = new Map((await federationsOfJobs(read, jobIds)).map((row) => [row.jobId, row]));
  return jobIds.map((id) => found.get(id) ?? null);
});

const newestRound = async (context: Context, jobId: string): Promise<RoundRow | null> =>
  (await roundsOfJob.load(context, jobId)).at(-1) ?? null;

const Federation = builder.objectRef<FederationRow>('Federation').implement({
  description:
    'The federated part of a job. It trains in rounds, on devices that keep their data to themselves and submit models. Each ' +
    'round combines the submitted models into one.',
  fields: (t) => ({
    deviceSelectionStrategy: t.expose('deviceSelectionStrategy', {
      type: DeviceSelectionStrategy,
      description: 'How the devices of a round are selected.',
    }),
    numDevices: t.exposeInt('numDevices', { description: 'How many models a round needs to succeed.' }),
    numBufferDevices: t.exposeInt('numBufferDevices', { description: 'How many extra devices are selected, so that some may fail.' }),
    selectionSeed: t.exposeString('selectionSeed', {
      description: 'The seed of the selections. With the same seed and the same devices online, each round selects the same devices.',
    }),
    terminationCriteria: t.field({
      type: [TerminationCriterion],
      size: IN_ITS_ROW,
      description: 'The job ends as SUCCEEDED as soon as any of these conditions holds. Empty: the job has one round.',
      resolve: async ({ jobId, terminationCriteria }, _, context) =>
        criteriaOf(
          context.domain,
          terminationCriteria,
          (await jobWith(context, jobId, 'finishedAt'))?.finishedAt ?? null,
          await roundsOfJob.load(context, jobId),
        ),
    }),
    roundDeadlineSeconds: t.exposeFloat('roundDeadlineSeconds', {
      nullable: true,
      description: 'How long a round waits for its models before it fails with QUORUM_UNREACHABLE. Null: no limit.',
    }),
    trainContainer: t.expose('trainContainer', {
      type: Container,
      nullable: true,
      description: 'What the devices run. Null: the devices implement training themselves.',
    }),
    aggregateContainer: t.expose('aggregateContainer', {
      type: Container,
      nullable: true,
      description:
        'What a worker runs to combine the submitted models into one. Null: the gateway takes the mean of their floating-point ' +
        'tensors, and takes integers and booleans from the model with the most samples.',
    }),
    devices: t.field({
      type: [Device],
      size: SOME,
      description: 'The devices of the newest round, in order of selection. Deleted devices are left out.',
      resolve: async ({ jobId }, _, context) => {
        const round = await newestRound(context, jobId);
        return round ? (await participantsOfRound(context, round)).map(({ device }) => device) : [];
      },
    }),
    startModel: t.field({
      type: Fragment,
      nullable: true,
      description:
        'The model that the first round starts from. Null: there is none, the job still waits in its experiment, or this key may not ' +
        'see it.',
      resolve: async ({ jobId }, _, context) => {
        const startModelId = (await jobWith(context, jobId, 'startModelId'))?.startModelId ?? null;
        return startModelOf(context, { jobId, startModelId });
      },
    }),
    aggregateModel: t.field({
      type: Fragment,
      nullable: true,
      description: 'The aggregate of the newest successful round: the result of the job so far. Null: no round has succeeded.',
      resolve: ({ aggregateModelId }, _, context) => (aggregateModelId === null ? null : fragmentOf.load(context, aggregateModelId)),
    }),
    models: t.field({
      type: [DeviceModel],
      size: SOME,
      description: 'The models submitted to the newest round. Models whose device or file was deleted are left out.',
      resolve: async ({ jobId }, _, context) => {
        const round = await newestRound(context, jobId);
        return round ? modelsOfRound(context, round) : [];
      },
    }),
    rounds: t.field({
      type: [Round],
      size: SOME,
      description: 'Its rounds, in order of number.',
      resolve: ({ jobId }, _, context) => roundsOfJob.load(context, jobId),
    }),
    currentRound: t.field({
      type: Round,
      nullable: true,
      description: 'The newest round. Null: the job still waits in its experiment.',
      resolve: ({ jobId }, _, context) => newestRound(context, jobId),
    }),
  }),
});

builder.objectField(Job, 'federation', (t) =>
  t.field({
    type: Federation,
    nullable: true,
    description: 'Its federated part. Null: it is not a federated job.',
    extensions: reads<ShownJob>('id', 'isFederated'),
    resolve: ({ id, isFederated }, _, context) => (isFederated ? federationOf.load(context, id) : null),
  }),
);
