import { JobDocument, type JobQuery } from '../../client/generated.ts';
import { type Command, jsonFlag } from '../command.ts';
import { exitCodes, type Output, print, printJson } from '../io.ts';
import { noJob } from '../output/follow.ts';
import { formatAge, formatBytes, formatLabels, formatNumber, formatSpan } from '../output/format.ts';
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
    ['load', load === null || typeof gpuDutyCycle !== 'number' ? load : `${load}, GPU ${gpuDutyCycle} %`],
    ['address', job.httpUrl],
    ['ssh', job.sshServer],
    ['billable', job.billableBytes === 0 ? null : formatBytes(job.billableBytes)],
    ['created', `${job.createdAt} (${formatAge(job.createdAt)})`],
    ['ran', formatSpan(job.startedAt, job.finishedAt)],
  ]);
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
