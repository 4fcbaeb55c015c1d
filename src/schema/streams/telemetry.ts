import type { InputShapeFromFields } from '@pothos/core';
import { type Frame, jobStream } from '../../realtime/streams.ts';
import { latestTelemetryOfJobs, readTelemetry } from '../../store/queries/curves.ts';
import type { ShownJob } from '../../store/queries/jobs.ts';
import type { DeviceRow, TelemetrySampleRow } from '../../store/schema/tables.ts';
import { builder } from '../core/builder.ts';
import { reads } from '../core/chosen-columns.ts';
import type { Context } from '../core/context.ts';
import { StreamFrame } from '../core/frames.ts';
import { defineLoader } from '../core/loaders.ts';
import { Device, Job } from '../core/nouns.ts';
import { IN_ITS_ROW } from '../core/sizes.ts';
import { watchedJob } from '../jobs/jobs.ts';
import { CURVE, MOST_POINTS, pointsToShow } from './curves.ts';

/** Stand for "no bound", as dates that both databases can store. */
const EARLIEST = new Date('0001-01-01T00:00:00.000Z');
const LATEST = new Date('9999-12-31T23:59:59.999Z');

/** The newest sample of a job, or of a device. */
const latestOf = defineLoader<string, TelemetrySampleRow | null>(async ({ read }, jobIds) => {
  const found = new Map((await latestTelemetryOfJobs(read, jobIds)).map(({ sample }) => [sample.jobId, sample]));
  return jobIds.map((id) => found.get(id) ?? null);
});

const TelemetrySample = builder.objectRef<TelemetrySampleRow>('TelemetrySample').implement({
  description: 'The resources that were in use at one point in time: by a step with all its processes, or on a whole device.',
  fields: (t) => ({
    at: t.expose('at', { type: 'DateTime', description: 'When it was measured.' }),
    stepNumber: t.exposeInt('stepNumber', { description: 'The number of the step. In a sample of a device, 0.' }),
    attempt: t.exposeInt('attempt', { description: 'The number of the attempt at that step, from 1. In a sample of a device, 0.' }),
    cpu: t.exposeFloat('cpu', { description: 'CPU load: 1 is one core fully loaded.' }),
    memoryMb: t.exposeFloat('memoryMb', { description: 'Memory in mebibytes (1,048,576 bytes).' }),
    gpuDutyCycle: t.exposeInt('gpuDutyCycle', {
      nullable: true,
      description: 'GPU utilization in percent: 0 to 100. Null without a GPU.',
    }),
    gpuMemory: t.exposeFloat('gpuMemory', {
      nullable: true,
      description: 'The share of GPU memory in use: 0 to 1. Null without a GPU.',
    }),
  }),
});

const rangeArgs = builder.args((t) => ({
  from: t.field({ type: 'DateTime', description: 'Only samples at or after this time. Default: from the beginning.' }),
  to: t.field({ type: 'DateTime', description: 'Only samples before this time. Default: to the end.' }),
  maxPoints: t.int({
    description: `The most samples to return: 1 to ${MOST_POINTS}. A longer range is downsampled so that its curves keep their shape, including peaks. Default: ${MOST_POINTS}.`,
  }),
}));

/** The samples of a job, or of a device. */
async function samplesOf(
  { read }: Context,
  jobId: string,
  { from, to, maxPoints }: InputShapeFromFields<typeof rangeArgs>,
): Promise<readonly TelemetrySampleRow[]> {
  const most = pointsToShow(maxPoints);
  return (await readTelemetry(read, { jobId, from: from ?? EARLIEST, to: to ?? LATEST, most })).rows;
}

builder.objectFields(Job, (t) => ({
  telemetry: t.field({
    type: [TelemetrySample],
    size: CURVE,
    description:
      'The resource usage of its steps, in order of time. Old samples may be reduced to one a minute, the one with the highest ' +
      'memory use.',
    args: rangeArgs,
    extensions: reads<ShownJob>('id'),
    resolve: ({ id }, args, context) => samplesOf(context, id, args),
  }),
  latestTelemetry: t.field({
    type: TelemetrySample,
    nullable: true,
    description: 'The newest sample. Null: none yet, or retention has deleted it.',
    extensions: reads<ShownJob>('id'),
    resolve: ({ id }, _, context) => latestOf.load(context, id),
  }),
}));

builder.objectFields(Device, (t) => ({
  telemetry: t.field({
    type: [TelemetrySample],
    size: CURVE,
    description:
      'The resource usage of the whole machine, in order of time, as its agent reports it about every 10 seconds. Old samples may be ' +
      'reduced to one a minute, the one with the highest memory use.',
    args: rangeArgs,
    extensions: reads<DeviceRow>('id'),
    resolve: ({ id }, args, context) => samplesOf(context, id, args),
  }),
  latestTelemetry: t.field({
    type: TelemetrySample,
    nullable: true,
    description: 'The newest sample of the whole machine. Null: its agent has reported none, or retention has deleted it.',
    extensions: reads<DeviceRow>('id'),
    resolve: ({ id }, _, context) => latestOf.load(context, id),
  }),
}));

const TelemetryFrame = builder.objectRef<Frame<TelemetrySampleRow>>('TelemetryFrame').implement({
  description: 'New samples, in the order in which they were reported.',
  interfaces: [StreamFrame],
  fields: (t) => ({
    samples: t.expose('rows', { type: [TelemetrySample], size: IN_ITS_ROW, description: 'The new entries. May be empty.' }),
  }),
});

builder.subscriptionField('telemetry', (t) =>
  t.field({
    type: TelemetryFrame,
    description:
      'The resource usage of the steps of one job: the stored samples, then each new one. The stream ends after the job has ended.',
    args: {
      jobId: t.arg.id({ required: true, description: 'The job to watch.' }),
      after: t.arg({ type: 'Cursor', description: 'Continue after this cursor. Default: from the beginning.' }),
    },
    subscribe: async (_, { jobId, after }, context) => {
      const job = await watchedJob(context, jobId);
      return jobStream(context.domain, context.wakeups, { kind: 'telemetry', jobId: job.id, after });
    },
    resolve: (frame) => frame,
  }),
);
