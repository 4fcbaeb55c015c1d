import type { Lease as LeaseShape } from '../../domain/claims/claims.ts';
import type { IgnoredMetric as IgnoredMetricShape, StoredMetrics } from '../../domain/claims/metrics.ts';
import { appendLog, reportMetrics, reportProgress, reportTelemetry } from '../../domain/claims/progress.ts';
import { reportDeviceTelemetry } from '../../domain/claims/telemetry.ts';
import { InvalidInput, NotFound, StaleLease } from '../../domain/core/refusals.ts';
import type { ShownStep } from '../../store/queries/steps.ts';
import { builder } from '../core/builder.ts';
import { LogStream, StatusReason } from '../core/enums.ts';
import { defineMutation } from '../core/errors.ts';
import { Step } from '../core/nouns.ts';
import { FEW } from '../core/sizes.ts';
import { Lease } from './claims.ts';

const leaseToken = 'The token that the claim returned.';
const nextLogOffset =
  "The offset where this attempt's log continues: the number of bytes (UTF-8) stored. If it is less than what was sent, an " +
  'earlier piece is missing: send again from this offset.';

export const MetricInput = builder.inputType('MetricInput', {
  description: 'One value of a metric. If an attempt reports the same name and iteration twice, the first value is kept.',
  fields: (t) => ({
    name: t.string({ required: true, description: 'The name of the metric: `loss`. At most 200 characters.' }),
    value: t.float({ required: true, description: 'The value.' }),
    iteration: t.int({ description: 'The iteration, such as an epoch or batch: 0 or more. Default: none.' }),
    at: t.field({ type: 'DateTime', description: 'When it was measured. Default: now.' }),
  }),
});

const TelemetryInput = builder.inputType('TelemetryInput', {
  description: 'What a step, or a whole device, used at one point in time. If the same time is reported twice, the first sample is kept.',
  fields: (t) => ({
    at: t.field({ type: 'DateTime', description: 'When it was measured. Default: now.' }),
    cpu: t.float({ required: true, description: 'CPU load: 1 is one core fully loaded.' }),
    memoryMb: t.float({ required: true, description: 'Memory in mebibytes (1,048,576 bytes).' }),
    gpuDutyCycle: t.int({ description: 'GPU utilization in percent: 0 to 100.' }),
    gpuMemory: t.float({ description: 'The share of GPU memory in use: 0 to 1.' }),
  }),
});

const LogChunkInput = builder.inputType('LogChunkInput', {
  description: 'A piece of the log. A piece that is already stored is not stored twice. A piece that would leave a gap is not stored.',
  fields: (t) => ({
    offset: t.field({ type: 'ByteCount', required: true, description: "Its offset in this attempt's log, in bytes (UTF-8)." }),
    text: t.string({
      required: true,
      description:
        'The text, including line breaks. NUL is stored as U+001A and an unpaired surrogate as U+FFFD, which have the same number of ' +
        'bytes.',
    }),
    stream: t.field({ type: LogStream, required: true, defaultValue: 'STDOUT', description: 'Its source.' }),
    at: t.field({ type: 'DateTime', description: 'When it was written. Default: now.' }),
  }),
});

const ComputeTimeInput = builder.inputType('ComputeTimeInput', {
  description: 'When the job was computing. A field that is left out or null stays unchanged.',
  fields: (t) => ({
    cpuStartedAt: t.field({ type: 'DateTime', description: 'When work on processors began.' }),
    cpuEndedAt: t.field({ type: 'DateTime', description: 'When work on processors ended.' }),
    gpuStartedAt: t.field({ type: 'DateTime', description: 'When work on GPUs began.' }),
    gpuEndedAt: t.field({ type: 'DateTime', description: 'When work on GPUs ended.' }),
  }),
});

interface Progress {
  readonly lease: LeaseShape;
  readonly nextLogOffset: number;
  readonly ignoredMetrics: readonly IgnoredMetricShape[];
  readonly isCancelRequested: boolean;
  readonly isPreempted: boolean;
  readonly isDraining: boolean;
}

const IgnoredMetric = builder.objectRef<IgnoredMetricShape>('IgnoredMetric').implement({
  description: 'A value that was not stored, because its attempt already has a value for this name and iteration.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'The name.' }),
    iteration: t.exposeInt('iteration', { description: 'The iteration.' }),
    value: t.exposeFloat('value', { description: 'The ignored value.' }),
    storedValue: t.exposeFloat('storedValue', { description: 'The stored value. Equal to `value` if the same value was sent twice.' }),
  }),
});
const ignoredMetrics = 'The ignored values, and the stored values that they conflict with.';

defineMutation('reportProgress', {
  description:
    'Reports everything about a running step in one request and one transaction: metrics, telemetry, log, message and addresses.',
  input: builder.inputType('ReportProgressInput', {
    description: 'The report: at most 1,000 entries of each kind. A field that is left out or null is not reported.',
    fields: (t) => ({
      leaseToken: t.string({ required: true, description: leaseToken }),
      reason: t.field({
        type: StatusReason,
        description:
          'The phase before the command runs: CONTAINER_CREATING, then CONTAINER_STARTED. It appears in the history of the step and as ' +
          'the reason of its job.',
      }),
      description: t.string({ description: 'Details of the reason, for people, such as the image that is being pulled.' }),
      statusMessage: t.string({ description: 'What the step is doing, for people: `epoch 3 of 10`.' }),
      metrics: t.field({ type: [MetricInput], description: 'Values of metrics, in the order in which they were measured.' }),
      telemetry: t.field({ type: [TelemetryInput], description: 'Resource usage of the step, in order of time.' }),
      log: t.field({ type: [LogChunkInput], description: 'Pieces of its log, in order.' }),
      httpUrl: t.string({
        description: 'The URL where it can be opened in a browser: http:// or https://. Cleared when the attempt ends.',
      }),
      sshServer: t.string({ description: 'Its SSH address. Cleared when the attempt ends.' }),
      gitCommit: t.string({
        description:
          'The commit that it has cloned, for a job whose `code` is cloned. The first one is recorded, and the later steps use it.',
      }),
      internalHostname: t.string({ description: 'The host name where other jobs can reach it.' }),
      computeTime: t.field({ type: ComputeTimeInput, description: 'When it was computing.' }),
      leaseSeconds: t.float({
        description: 'Also renew the lease, to last this long from now on: 1 to 3600 seconds. Default: do not renew.',
      }),
    }),
  }),
  payload: builder.objectRef<Progress>('ReportProgressPayload').implement({
    description: 'The report was stored.',
    fields: (t) => ({
      lease: t.expose('lease', { type: Lease, description: 'The lease as it is now.' }),
      nextLogOffset: t.expose('nextLogOffset', { type: 'ByteCount', description: nextLogOffset }),
      isCancelRequested: t.exposeBoolean('isCancelRequested', {
        description: 'The device must stop and end the step, because its job is being cancelled.',
      }),
      isPreempted: t.exposeBoolean('isPreempted', {
        description: 'The device must stop and release the step, to make room for more urgent work.',
      }),
      isDraining: t.exposeBoolean('isDraining', { description: 'The device should finish its steps and claim no more.' }),
      ignoredMetrics: t.expose('ignoredMetrics', { type: [IgnoredMetric], size: FEW, description: ignoredMetrics }),
    }),
  }),
  refusals: [StaleLease, InvalidInput],
  repairs: ['log'],
  decide: reportProgress,
});

defineMutation('reportMetrics', {
  description: 'Stores values of metrics.',
  input: builder.inputType('ReportMetricsInput', {
    description: 'The values to store.',
    fields: (t) => ({
      leaseToken: t.string({ required: true, description: leaseToken }),
      metrics: t.field({
        type: [MetricInput],
        required: true,
        description: 'The values, in the order in which they were measured: at most 1,000.',
      }),
    }),
  }),
  payload: builder.objectRef<StoredMetrics & { step: ShownStep }>('ReportMetricsPayload').implement({
    description: 'The values were stored.',
    fields: (t) => ({
      step: t.expose('step', { type: Step, description: 'The step that reported them.' }),
      accepted: t.exposeInt('accepted', { description: 'How many were new.' }),
      ignored: t.expose('ignored', { type: [IgnoredMetric], size: FEW, description: ignoredMetrics }),
    }),
  }),
  refusals: [StaleLease, InvalidInput],
  decide: reportMetrics,
});

defineMutation('reportTelemetry', {
  description: 'Stores resource usage of the step.',
  input: builder.inputType('ReportTelemetryInput', {
    description: 'The samples to store.',
    fields: (t) => ({
      leaseToken: t.string({ required: true, description: leaseToken }),
      samples: t.field({ type: [TelemetryInput], required: true, description: 'The samples, in order of time: at most 1,000.' }),
    }),
  }),
  payload: builder.objectRef<{ accepted: number }>('ReportTelemetryPayload').implement({
    description: 'The samples were stored.',
    fields: (t) => ({ accepted: t.exposeInt('accepted', { description: 'How many were new.' }) }),
  }),
  refusals: [StaleLease, InvalidInput],
  decide: reportTelemetry,
});

defineMutation('reportDeviceTelemetry', {
  description: 'Stores resource usage of a whole device. It also shows that the device is online, as every request of its agent does.',
  input: builder.inputType('ReportDeviceTelemetryInput', {
    description: 'The samples to store.',
    fields: (t) => ({
      deviceId: t.id({ required: true, description: 'The device. A DEVICE key reports only on its own.' }),
      samples: t.field({ type: [TelemetryInput], required: true, description: 'The samples, in order of time: at most 1,000.' }),
    }),
  }),
  payload: builder.objectRef<{ accepted: number }>('ReportDeviceTelemetryPayload').implement({
    description: 'The samples were stored.',
    fields: (t) => ({ accepted: t.exposeInt('accepted', { description: 'How many were new.' }) }),
  }),
  refusals: [NotFound, InvalidInput],
  decide: reportDeviceTelemetry,
});

defineMutation('appendLog', {
  description: "Appends to the attempt's log.",
  input: builder.inputType('AppendLogInput', {
    description: 'What to append.',
    fields: (t) => ({
      leaseToken: t.string({ required: true, description: leaseToken }),
      chunks: t.field({ type: [LogChunkInput], required: true, description: 'Pieces of the log, in order: at most 1,000.' }),
    }),
  }),
  payload: builder.objectRef<{ nextLogOffset: number }>('AppendLogPayload').implement({
    description: 'The pieces that could be appended were stored.',
    fields: (t) => ({ nextLogOffset: t.expose('nextLogOffset', { type: 'ByteCount', description: nextLogOffset }) }),
  }),
  refusals: [StaleLease, InvalidInput],
  repairs: ['chunks'],
  decide: appendLog,
});
