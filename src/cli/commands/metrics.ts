import { JobMetricNamesDocument, MetricSeriesDocument, type MetricSeriesQuery } from '../../client/generated.ts';
import { didYouMean } from '../../text/nearest.ts';
import { type Command, type Context, jsonFlag } from '../command.ts';
import { exitCodes, print, printJson, UsageError } from '../io.ts';
import { chart } from '../output/chart.ts';
import { noJob } from '../output/follow.ts';
import { formatNumber } from '../output/format.ts';
import { cleanName } from '../terminal.ts';

type Series = NonNullable<MetricSeriesQuery['job']>['metricSeries'];

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
