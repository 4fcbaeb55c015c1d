/** The commands that show a job's metrics and telemetry as charts. */
import {
  JobMetricNamesDocument,
  JobTelemetryDocument,
  type JobTelemetryQuery,
  MetricSeriesDocument,
  type MetricSeriesQuery,
} from '../../client/generated.ts';
import { didYouMean } from '../../text/nearest.ts';
import { type Command, type Context, jsonFlag } from '../command.ts';
import { exitCodes, print, printJson, UsageError } from '../io.ts';
import { chart } from '../output/chart.ts';
import { noJob } from '../output/follow.ts';
import { formatNumber, formatSeconds } from '../output/format.ts';
import { cleanName } from '../terminal.ts';

type Series = NonNullable<MetricSeriesQuery['job']>['metricSeries'];
type Sample = NonNullable<JobTelemetryQuery['job']>['telemetry'][number];

/** One for each column of a chart. The gateway thins a longer curve and keeps its shape. */
const chartPoints = 72;
const mostPoints = 10_000;
/** A job with more metrics shows these and names the rest. */
const mostCharts = 12;

export const metrics: Command = {
  name: 'metrics',
  summary: "Shows a job's metrics, each as a small chart.",
  usage: 'JOB [METRIC …]',
  argCount: [1, 1 + mostCharts],
  flags: jsonFlag,
  notes: `Without METRIC, shows up to ${mostCharts} of them. With --json, prints at most ${mostPoints} points of each.`,

  async run(context) {
    const { io, args, isJson } = context;
    const [jobId = '', ...wanted] = args;
    const known = await readNames(context, jobId);
    const unknown = wanted.find((name) => !known.includes(name));
    if (unknown !== undefined) throw new UsageError(`The job has no metric "${cleanName(unknown)}".${didYouMean(unknown, known)}`);
    const names = wanted.length > 0 ? wanted : known.slice(0, isJson ? known.length : mostCharts);
    const all: Series[] = [];
    for (const name of names) all.push(await readSeries(context, jobId, name));
    if (isJson) await printJson(io, all);
    else if (all.length === 0) io.stderr.write('No metrics.\n');
    else await print(io.stdout, all.map(renderSeries).join('\n'));
    const others = wanted.length > 0 ? [] : known.slice(names.length);
    if (others.length > 0) io.stderr.write(`There are ${others.length} more: ${others.slice(0, 20).map(cleanName).join(', ')}\n`);
    return exitCodes.succeeded;
  },
};

async function readNames({ client, io }: Context, id: string): Promise<string[]> {
  const { job } = await client.request(JobMetricNamesDocument, { id }, { signal: io.signal });
  if (job === null) throw noJob(id);
  return job.metrics.map(({ name }) => name);
}

async function readSeries({ client, io, isJson }: Context, id: string, name: string): Promise<Series> {
  const maxPoints = isJson ? mostPoints : chartPoints;
  const { job } = await client.request(MetricSeriesDocument, { id, name, maxPoints }, { signal: io.signal });
  if (job === null) throw noJob(id);
  return job.metricSeries;
}

/** A heading over a chart. A single value has no chart. */
function renderSeries({ name, points, totalPoints, missed }: Series): string {
  const last = points.at(-1);
  if (last === undefined) return `${cleanName(name)}  no points\n`;
  const values = points.map(({ value }) => value);
  const parts = [
    `${cleanName(name)} ${formatNumber(last.value)}${last.iteration === null ? '' : ` at iteration ${last.iteration}`}`,
    ...(points.length > 1 ? [`lowest ${formatNumber(Math.min(...values))}, highest ${formatNumber(Math.max(...values))}`] : []),
    `${totalPoints} ${totalPoints === 1 ? 'point' : 'points'}${missed > 0 ? `, ${missed} more past retention` : ''}`,
  ];
  if (points.length === 1) return `${parts.join('  ')}\n`;
  const curve = new Map(points.map(({ iteration, value }, i) => [iteration ?? i, value]));
  const lines = chart([{ name: '', mark: '●', values: curve }]).slice(1);
  return `${[parts.join('  '), ...lines].join('\n')}\n`;
}

export const telemetry: Command = {
  name: 'telemetry',
  summary: "Shows the CPU, memory and GPU usage of a job's steps over time.",
  usage: 'JOB',
  argCount: [1, 1],
  flags: jsonFlag,
  notes: `With --json, prints at most ${mostPoints} samples.`,

  async run({ io, client, args, isJson }) {
    const [id = ''] = args;
    const { job } = await client.request(JobTelemetryDocument, { id, maxPoints: isJson ? mostPoints : chartPoints }, { signal: io.signal });
    if (job === null) throw noJob(id);
    if (isJson) await printJson(io, job.telemetry);
    else if (job.telemetry.length === 0) io.stderr.write('No telemetry.\n');
    else await print(io.stdout, renderTelemetry(job.telemetry));
    return exitCodes.succeeded;
  },
};

const measures: readonly { readonly title: string; readonly unit: string; readonly value: (sample: Sample) => number | null }[] = [
  { title: 'processor', unit: 'cores', value: ({ cpu }) => cpu },
  { title: 'memory', unit: 'MB', value: ({ memoryMb }) => memoryMb },
  { title: 'GPU', unit: '%', value: ({ gpuDutyCycle }) => gpuDutyCycle },
  { title: 'GPU memory', unit: '%', value: ({ gpuMemory }) => (gpuMemory === null ? null : gpuMemory * 100) },
];

function renderTelemetry(samples: readonly Sample[]): string {
  const start = Date.parse(samples[0]?.at ?? '');
  const spans = samples.map(({ at }) => Math.round((Date.parse(at) - start) / 1_000));
  const parts = measures.flatMap(({ title, unit, value }) => {
    const points = samples.flatMap((sample, i) => {
      const measured = value(sample);
      return measured === null ? [] : [[spans[i] ?? 0, measured] as const];
    });
    const [values, last] = [points.map(([, measured]) => measured), points.at(-1)];
    if (last === undefined) return [];
    const head = `${title}: ${formatNumber(last[1])} ${unit}, at most ${formatNumber(Math.max(...values))}`;
    const lines = points.length > 1 ? chart([{ name: '', mark: '●', values: new Map(points) }]).slice(1) : [];
    return [`${[head, ...lines].join('\n')}\n`];
  });
  const seconds = spans.at(-1) ?? 0;
  return `${parts.join('\n')}${seconds > 0 ? `\nOver ${formatSeconds(seconds)}; the axis below each chart is in seconds.\n` : ''}`;
}
