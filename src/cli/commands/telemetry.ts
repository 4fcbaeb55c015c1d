import { JobTelemetryDocument, type JobTelemetryQuery } from '../../client/generated.ts';
import { type Command, jsonFlag } from '../command.ts';
import { exitCodes, print, printJson } from '../io.ts';
import { chart } from '../output/chart.ts';
import { noJob } from '../output/follow.ts';
import { formatNumber, formatSeconds } from '../output/format.ts';

type Sample = NonNullable<JobTelemetryQuery['job']>['telemetry'][number];

const chartPoints = 72;
const mostPoints = 10_000;

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
