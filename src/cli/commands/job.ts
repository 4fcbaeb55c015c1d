/** The commands for one job: show it, watch it, cancel it, run it again. */
import { randomUUID } from 'node:crypto';
import { unwrap } from '../../client/errors.ts';
import { CancelJobDocument, JobDocument, type JobQuery, RetryJobDocument } from '../../client/generated.ts';
import { type Command, jsonFlag } from '../command.ts';
import { exitCodes, type Output, print, printJson } from '../io.ts';
import { followFlags, followJob, noJob } from '../output/follow.ts';
import { describeGit, formatAge, formatBytes, formatLabels, formatNumber, formatSpan } from '../output/format.ts';
import { type Column, renderFields, renderTable } from '../output/table.ts';
import { cleanName } from '../terminal.ts';

type Job = NonNullable<JobQuery['job']>;
type Step = Job['steps'][number];

export const job: Command = {
  name: 'job',
  summary: 'Shows one job in full: its state, steps, attempts, newest metrics and history.',
  usage: 'JOB',
  argCount: [1, 1],
  flags: jsonFlag,

  async run({ io, client, args, isJson }) {
    const id = args[0] ?? '';
    const found = (await client.request(JobDocument, { id }, { signal: io.signal })).job;
    if (found === null) throw noJob(id);
    if (isJson) await printJson(io, found);
    else await print(io.stdout, renderJob(io.stdout, found));
    return exitCodes.succeeded;
  },
};

function renderJob(output: Output, job: Job): string {
  const parts = [renderState(job), renderTable(output, stepColumns, job.steps)];
  const unmet = job.steps.flatMap((step) => step.whyNot.map((reason) => ({ step, reason })));
  if (unmet.length > 0) {
    const lines = unmet.map(
      ({ step, reason }) => `  step ${step.number}, ${deviceName(reason.device)}: ${cleanName(reason.explanation)}\n`,
    );
    parts.push(`Not claimed because:\n${lines.join('')}`);
  }
  if (job.metrics.length > 0) parts.push(renderTable(output, metricColumns, job.metrics));
  parts.push(renderTable(output, transitionColumns, job.history.transitions));
  if (Object.keys(job.settings).length > 0)
    parts.push(`Settings: ${cleanName(JSON.stringify(job.settings, null, 2)).replaceAll(/ {2,}/g, ' ')}\n`);
  if (job.settingsWarnings.length > 0) parts.push(`Unknown to its application: ${job.settingsWarnings.map(cleanName).join(', ')}\n`);
  if (job.output !== null) parts.push(`Output: ${cleanName(JSON.stringify(job.output))}\n`);
  return parts.join('\n');
}

function renderState(job: Job): string {
  const { cpu, memoryMb, gpuDutyCycle } = job.latestTelemetry ?? {};
  const load = cpu === undefined ? null : `${formatNumber(cpu)} cores, ${formatNumber(memoryMb ?? 0)} MB`;
  return renderFields([
    ['id', job.id],
    ['name', job.name],
    ['status', `${job.status} (${job.history.reason})${job.history.description === '' ? '' : `: ${job.history.description}`}`],
    ['exit code', job.history.exitCode === null ? null : String(job.history.exitCode)],
    ['message', job.statusMessage],
    ['description', job.description],
    ['type', `${job.type}, started by ${job.initiator}`],
    ['project', `${job.project.name} (${job.project.id})`],
    ['application', job.application && `${job.application.name} (${job.application.id})`],
    ['owner', job.owner],
    ['priority', String(job.priority)],
    ['labels', formatLabels(job.labels)],
    ['items', job.items.map((item) => `${item.name}=${item.value}`).join(' ')],
    ['device', job.device?.name],
    ['code', job.code && describeCode(job.code)],
    ['load', load === null || typeof gpuDutyCycle !== 'number' ? load : `${load}, GPU ${gpuDutyCycle} %`],
    ['address', job.httpUrl],
    ['ssh', job.sshServer],
    ['billable', job.billableBytes === 0 ? null : formatBytes(job.billableBytes)],
    ['created', `${job.createdAt} (${formatAge(job.createdAt)})`],
    ['ran', formatSpan(job.startedAt, job.finishedAt)],
  ]);
}

function describeCode({ sha256, sizeBytes, git }: NonNullable<Job['code']>): string {
  const archive = sha256 === null ? null : `${sha256.slice(0, 12)} (${formatBytes(sizeBytes)})`;
  return [archive, git && describeGit(git)].filter((part) => part !== null).join(', ');
}

function deviceName(device: { readonly name: string } | null): string {
  return device === null ? 'any device' : cleanName(device.name);
}

const stepColumns: readonly Column<Step>[] = [
  { title: 'STEP', value: (step) => String(step.number), isNumber: true },
  { title: 'NAME', value: (step) => step.name, isFlexible: true },
  { title: 'STATUS', value: (step) => step.status },
  { title: 'ATTEMPT', value: (step) => `${step.attempts.length}/${step.maxAttempts}` },
  { title: 'DEVICE', value: (step) => step.attempts.at(-1)?.device?.name ?? '', isFlexible: true },
  { title: 'EXIT', value: (step) => String(step.attempts.at(-1)?.exitCode ?? ''), isNumber: true },
  { title: 'RAN', value: (step) => formatSpan(step.startedAt, step.finishedAt) },
  { title: 'MESSAGE', value: (step) => step.statusMessage ?? step.attempts.at(-1)?.description ?? '', isFlexible: true },
];

const metricColumns: readonly Column<Job['metrics'][number]>[] = [
  { title: 'METRIC', value: (metric) => metric.name, isFlexible: true },
  { title: 'NEWEST', value: (metric) => formatNumber(metric.value), isNumber: true },
  { title: 'ITERATION', value: (metric) => String(metric.iteration ?? ''), isNumber: true },
];

const transitionColumns: readonly Column<Job['history']['transitions'][number]>[] = [
  { title: 'AT', value: (change) => change.at },
  { title: 'STATUS', value: (change) => change.to },
  { title: 'REASON', value: (change) => change.reason },
  { title: 'BY', value: (change) => change.actor, isFlexible: true },
  { title: 'DESCRIPTION', value: (change) => change.description, isFlexible: true },
];

export const watch: Command = {
  name: 'watch',
  summary: "Shows a job's status, steps, log and metrics live, from its beginning until it ends.",
  usage: 'JOB',
  argCount: [1, 1],
  flags: { ...followFlags, ...jsonFlag },
  notes: `The log goes to stdout and the rest to stderr. Lost connections are restored without gaps or repetition.
The exit code is the job's outcome: 0 SUCCEEDED, 1 FAILED, 3 CANCELLED. Others: 2 refused, 4 gateway unreachable, 130 Ctrl-C.`,
  run: (context) => followJob(context, context.args[0] ?? ''),
};

export const cancel: Command = {
  name: 'cancel',
  summary: 'Cancels a job: at once if no device holds a step of it, else when its devices let go.',
  usage: 'JOB',
  argCount: [1, 1],
  flags: {
    reason: { value: 'TEXT', description: 'the reason, for the history of the job' },
    'timeout-seconds': {
      value: 'N',
      description: 'time that devices have to let go before the job counts as cancelled',
      defaultText: '30',
      field: 'cancelTimeoutSeconds',
    },
    ...jsonFlag,
  },

  async run({ io, client, given, args, isJson }) {
    const cancelTimeoutSeconds = given.number('timeout-seconds');
    const input = {
      jobId: args[0] ?? '',
      reason: given.text('reason'),
      ...(cancelTimeoutSeconds !== undefined && { cancelTimeoutSeconds }),
    };
    const { cancelJob } = await client.request(CancelJobDocument, { input }, { signal: io.signal });
    const { job } = unwrap(cancelJob);
    if (isJson) await printJson(io, job);
    else await print(io.stdout, `${job.id} (${cleanName(job.name)}) is ${job.status}\n`);
    return exitCodes.succeeded;
  },
};

export const retry: Command = {
  name: 'retry',
  summary: 'Creates a new job with the input of one that has ended.',
  usage: 'JOB',
  argCount: [1, 1],
  flags: {
    'idempotency-key': { value: 'KEY', description: 'the same key returns the same new job', defaultText: 'a random one' },
    follow: { description: 'show the new job until it ends' },
    ...followFlags,
    ...jsonFlag,
  },

  async run(context) {
    const { io, client, given, args, isJson } = context;
    const input = { jobId: args[0] ?? '', idempotencyKey: given.text('idempotency-key') ?? randomUUID() };
    const { retryJob } = await client.request(RetryJobDocument, { input }, { signal: io.signal });
    const { job, token, isReplay } = unwrap(retryJob);
    if (given.has('follow')) return followJob(context, job.id);
    if (isJson) await printJson(io, { job, token, isReplay });
    else await print(io.stdout, `${job.id}\n`);
    return exitCodes.succeeded;
  },
};
