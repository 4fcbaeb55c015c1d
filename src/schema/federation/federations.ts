import { federationsOfJobs } from '../../store/queries/federations.ts';
import type { FederationRow, RoundRow } from '../../store/schema/tables.ts';
import { builder } from '../core/builder.ts';
import type { Context } from '../core/context.ts';
import { DeviceSelectionStrategy } from '../core/enums.ts';
import { defineLoader } from '../core/loaders.ts';
import { Device, Fragment, Job } from '../core/nouns.ts';
import { IN_ITS_ROW, SOME } from '../core/sizes.ts';
import { fragmentOf, startModelOf } from '../files/fragments.ts';
import { Container } from '../jobs/containers.ts';
import { jobById, jobOf } from '../jobs/jobs.ts';
import { criteriaOf, TerminationCriterion } from './criteria.ts';
import { DeviceModel, modelsOfRound, participantsOfRound, Round, roundsOfJob } from './rounds.ts';

/** Of a job that may be seen. Null: it is no federated job. */
const federationOf = defineLoader<string, FederationRow | null>(async ({ domain }, jobIds) => {
  const found = new Map((await federationsOfJobs(domain.store.read, jobIds)).map((row) => [row.jobId, row]));
  return jobIds.map((id) => found.get(id) ?? null);
});

const newestRound = async (context: Context, jobId: string): Promise<RoundRow | null> =>
  (await roundsOfJob.load(context, jobId)).at(-1) ?? null;

const Federation = builder.objectRef<FederationRow>('Federation').implement({
  description:
    'What makes a job a federated one: it trains in rounds, on devices that keep their data to themselves and hand in models, of which each round makes one.',
  fields: (t) => ({
    deviceSelectionStrategy: t.expose('deviceSelectionStrategy', {
      type: DeviceSelectionStrategy,
      description: 'How the devices of a round are selected.',
    }),
    numDevices: t.exposeInt('numDevices', { description: 'How many models have to come in for a round to succeed.' }),
    numBufferDevices: t.exposeInt('numBufferDevices', { description: 'How many devices are selected beyond that, so that some may fail.' }),
    selectionSeed: t.exposeString('selectionSeed', {
      description:
        'What selections follow from: with the same seed and the same devices online, each round selects the same devices again.',
    }),
    terminationCriteria: t.field({
      type: [TerminationCriterion],
      size: IN_ITS_ROW,
      description: 'What ends the job as SUCCEEDED when it holds, any of them. Empty: it has one round.',
      resolve: async ({ jobId, terminationCriteria }, _, context) =>
        criteriaOf(context.domain, terminationCriteria, await jobOf(context, jobId), await roundsOfJob.load(context, jobId)),
    }),
    roundDeadlineSeconds: t.exposeFloat('roundDeadlineSeconds', {
      nullable: true,
      description: 'How long a round may wait for its models before it fails with QUORUM_UNREACHABLE. Null: for ever.',
    }),
    trainContainer: t.expose('trainContainer', {
      type: Container,
      nullable: true,
      description: 'What the devices run. Null: they know what to do.',
    }),
    aggregateContainer: t.expose('aggregateContainer', {
      type: Container,
      nullable: true,
      description:
        'What a worker runs to make one model of those that came in. Null: the gateway takes the mean of their floating-point tensors; whole numbers and ' +
        'booleans are those of the model with the most samples.',
    }),
    devices: t.field({
      type: [Device],
      size: SOME,
      description: 'The devices of the newest round, in the order of selection. One that was deleted meanwhile is left out.',
      resolve: async ({ jobId }, _, context) => {
        const round = await newestRound(context, jobId);
        return round ? (await participantsOfRound(context, round)).map(({ device }) => device) : [];
      },
    }),
    startModel: t.field({
      type: Fragment,
      nullable: true,
      description:
        'What the first round starts from. Null: from nothing, the turn of the job in its experiment has not come, or this key may not see it.',
      resolve: async ({ jobId }, _, context) => {
        const startModelId = (await jobById.load(context, jobId))?.startModelId ?? null;
        return startModelOf(context, { jobId, startModelId });
      },
    }),
    aggregateModel: t.field({
      type: Fragment,
      nullable: true,
      description: 'The aggregate of the newest round that succeeded: what the job has come to. Null: no round has yet.',
      resolve: ({ aggregateModelId }, _, context) => (aggregateModelId === null ? null : fragmentOf.load(context, aggregateModelId)),
    }),
    models: t.field({
      type: [DeviceModel],
      size: SOME,
      description: 'The models that devices handed in to the newest round. One whose device or file was deleted meanwhile is left out.',
      resolve: async ({ jobId }, _, context) => {
        const round = await newestRound(context, jobId);
        return round ? modelsOfRound(context, round) : [];
      },
    }),
    rounds: t.field({
      type: [Round],
      size: SOME,
      description: 'All its rounds, in order of number.',
      resolve: ({ jobId }, _, context) => roundsOfJob.load(context, jobId),
    }),
    currentRound: t.field({
      type: Round,
      nullable: true,
      description: 'The newest round; once the job has ended, its last. Null: the turn of the job in its experiment has not come.',
      resolve: ({ jobId }, _, context) => newestRound(context, jobId),
    }),
  }),
});

builder.objectField(Job, 'federation', (t) =>
  t.field({
    type: Federation,
    nullable: true,
    description: 'What makes it a federated job. Null: it is none.',
    resolve: ({ id, isFederated }, _, context) => (isFederated ? federationOf.load(context, id) : null),
  }),
);
