import type { Lease as LeaseShape } from '../../domain/claims/claims.ts';
import type { IgnoredMetric as IgnoredMetricShape, StoredMetrics } from '../../domain/claims/metrics.ts';
import { appendLog, reportMetrics, reportProgress, reportTelemetry } from '../../domain/claims/progress.ts';
import { InvalidInput, StaleLease } from '../../domain/core/refusals.ts';
import type { ShownStep } from '../../store/queries/steps.ts';
import { builder } from '../core/builder.ts';
import { LogStream, StatusReason } from '../core/enums.ts';
import { defineMutation } from '../core/errors.ts';
import { Step } from '../core/nouns.ts';
import { FEW } from '../core/sizes.ts';
import { Lease } from './claims.ts';

const leaseToken = 'The token that the claim answered.';
const nextLogOffset =
  "Where this attempt's log goes on: the bytes (UTF-8) that are stored. Less than what was sent: something before it is missing, send from here on.";

export const MetricInput = builder.inputType('MetricInput', {
  description: 'One value of a metric. The same name and iteration of the same attempt, sent again, is stored once: the first value stays.',
  fields: (t) => ({
    name: t.string({ required: true, description: 'Which metric: `loss`. At most 200 characters.' }),
    value: t.float({ required: true, description: 'The value.' }),
    iteration: t.int({ description: 'The iteration that it is of, an epoch or a batch: 0 or more. Default: of none.' }),
    at: t.field({ type: 'DateTime', description: 'When it was measured. Default: now.' }),
  }),
});

const TelemetryInput = builder.inputType('TelemetryInput', {
  description: 'What the step consumed at one moment. The same moment of the same attempt, sent again, is stored once.',
  fields: (t) => ({
    at: t.field({ type: 'DateTime', description: 'When it was measured. Default: now.' }),
    cpu: t.float({ required: true, description: 'Processor load: 1 is one core fully loaded.' }),
    memoryMb: t.float({ required: true, description: 'Memory in mebibytes (1,048,576 bytes).' }),
    gpuDutyCycle: t.int({ description: 'How busy the GPU was, in percent: 0 to 100.' }),
    gpuMemory: t.float({ description: "The share of the GPU's memory in use: 0 to 1." }),
  }),
});

const LogChunkInput = builder.inputType('LogChunkInput', {
  description: 'A piece of the log. One that is stored already is not stored twice; one that would leave a hole is not stored.',
  fields: (t) => ({
    offset: t.field({ type: 'ByteCount', required: true, description: "The bytes (UTF-8) of this attempt's log before it." }),
    text: t.string({
      required: true,
      description:
        'What was written, line breaks included. NUL is kept as U+001A and half of a surrogate pair as U+FFFD, which have as many bytes.',
    }),
    stream: t.field({ type: LogStream, required: true, defaultValue: 'STDOUT', description: 'Where it comes from.' }),
    at: t.field({ type: 'DateTime', description: 'When it was written. Default: now.' }),
  }),
});

const ComputeTimeInput = builder.inputType('ComputeTimeInput', {
  description: 'When the job really computed. What is left out or null stays as it is.',
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
  description: 'A value that was not stored, because its attempt has one of this name and iteration already.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'The name.' }),
    iteration: t.exposeInt('iteration', { description: 'The iteration.' }),
    value: t.exposeFloat('value', { description: 'The value that was left out.' }),
    storedValue: t.exposeFloat('storedValue', { description: 'The first value, which stays. The same one: it was sent twice.' }),
  }),
});
const ignoredMetrics = 'Those that were left out, and the values that stay in their place.';

defineMutation('reportProgress', {
  description: 'All that a running step has to say, in one request and one transaction: metrics, telemetry, log, message, addresses.',
  input: builder.inputType('ReportProgressInput', {
    description: 'What there is to say; at most 1,000 entries of a kind. What is left out or null is not reported.',
    fields: (t) => ({
      leaseToken: t.string({ required: true, description: leaseToken }),
      reason: t.field({
        type: StatusReason,
        description:
          'How far the step is before its command runs: CONTAINER_CREATING, then CONTAINER_STARTED. It stands in the history of the step, and as the reason of its job.',
      }),
      description: t.string({ description: 'More about the reason, for people: which image is fetched, say.' }),
      statusMessage: t.string({ description: 'What the step is doing, for people: `epoch 3 of 10`.' }),
      metrics: t.field({ type: [MetricInput], description: 'Values of metrics, in the order in which they were measured.' }),
      telemetry: t.field({ type: [TelemetryInput], description: 'What the step consumed, in order of time.' }),
      log: t.field({ type: [LogChunkInput], description: 'Pieces of its log, in order.' }),
      httpUrl: t.string({
        description: 'Where what it runs can be opened in a browser: http:// or https://. Forgotten when the attempt ends.',
      }),
      sshServer: t.string({ description: 'Where it can be reached by SSH. Forgotten when the attempt ends.' }),
      internalHostname: t.string({ description: 'Under what name other jobs can reach it.' }),
      computeTime: t.field({ type: ComputeTimeInput, description: 'When it really computed.' }),
      leaseSeconds: t.float({
        description: 'Renew the lease too, to last so long from now: 1 to 3600 seconds. Default: leave it as it is.',
      }),
    }),
  }),
  payload: builder.objectRef<Progress>('ReportProgressPayload').implement({
    description: 'The report is stored.',
    fields: (t) => ({
      lease: t.expose('lease', { type: Lease, description: 'The lease as it is now.' }),
      nextLogOffset: t.expose('nextLogOffset', { type: 'ByteCount', description: nextLogOffset }),
      isCancelRequested: t.exposeBoolean('isCancelRequested', { description: 'Stop, and end the step: its job is being cancelled.' }),
      isPreempted: t.exposeBoolean('isPreempted', { description: 'Stop, and release the step: it has to make room for other work.' }),
      isDraining: t.exposeBoolean('isDraining', { description: 'Finish this, and claim nothing more.' }),
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
        description: 'They, in the order in which they were measured: at most 1,000.',
      }),
    }),
  }),
  payload: builder.objectRef<StoredMetrics & { step: ShownStep }>('ReportMetricsPayload').implement({
    description: 'The values are stored.',
    fields: (t) => ({
      step: t.expose('step', { type: Step, description: 'The step that reported them.' }),
      accepted: t.exposeInt('accepted', { description: 'How many of them were new.' }),
      ignored: t.expose('ignored', { type: [IgnoredMetric], size: FEW, description: ignoredMetrics }),
    }),
  }),
  refusals: [StaleLease, InvalidInput],
  decide: reportMetrics,
});

defineMutation('reportTelemetry', {
  description: 'Stores what the step consumed.',
  input: builder.inputType('ReportTelemetryInput', {
    description: 'The samples to store.',
    fields: (t) => ({
      leaseToken: t.string({ required: true, description: leaseToken }),
      samples: t.field({ type: [TelemetryInput], required: true, description: 'They, in order of time: at most 1,000.' }),
    }),
  }),
  payload: builder.objectRef<{ accepted: number }>('ReportTelemetryPayload').implement({
    description: 'The samples are stored.',
    fields: (t) => ({ accepted: t.exposeInt('accepted', { description: 'How many of them were new.' }) }),
  }),
  refusals: [StaleLease, InvalidInput],
  decide: reportTelemetry,
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
    description: 'What could be appended is stored.',
    fields: (t) => ({ nextLogOffset: t.expose('nextLogOffset', { type: 'ByteCount', description: nextLogOffset }) }),
  }),
  refusals: [StaleLease, InvalidInput],
  repairs: ['chunks'],
  decide: appendLog,
});
