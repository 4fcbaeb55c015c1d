/** What the job's steps used of their machines over time, below the steps that used it. */
import { useMemo } from 'preact/hooks';
import { type Band, Chart, type Line } from '../../components/chart.tsx';
import { Empty, Panel, Problem, Skeleton } from '../../components/panel.tsx';
import { Swatch } from '../../components/spark.tsx';
import { isOver } from '../../components/status.tsx';
import { align } from '../../curves/curve.ts';
import { useChartView } from '../../curves/view.tsx';
import { formatMegabytes, formatValue, plural } from '../../format/numbers.ts';
import { JobTelemetryDocument, JobUsageDocument, type UsageFieldsFragment } from '../../generated.ts';
import { now } from '../../streams/clock.ts';
import { useLive } from '../../streams/live.ts';
import { useQuery } from '../../streams/query.ts';
import type { LiveJob } from './job.tsx';

const MAX_SAMPLES = 2_000;

interface Measure {
  readonly title: string;
  readonly of: (sample: UsageFieldsFragment) => number | null;
  readonly format: (value: number) => string;
}

const measures: readonly Measure[] = [
  { title: 'CPU, in cores', of: ({ cpu }) => cpu, format: formatValue },
  { title: 'Memory', of: ({ memoryMb }) => memoryMb, format: formatMegabytes },
  { title: 'GPU in use', of: ({ gpuDutyCycle }) => gpuDutyCycle, format: (value) => `${formatValue(value)} %` },
  {
    title: 'GPU memory in use',
    of: ({ gpuMemory }) => (gpuMemory === null ? null : gpuMemory * 100),
    format: (value) => `${formatValue(value)} %`,
  },
];

/** A job that is over is read once. One that runs is followed from its first sample. */
export function MachineTab({ job }: { readonly job: LiveJob }) {
  const over = isOver(job.status);
  const read = useQuery(JobUsageDocument, over ? { id: job.id, maxPoints: MAX_SAMPLES } : null);
  const live = useLive(JobTelemetryDocument, over ? null : { id: job.id }, (samples: readonly UsageFieldsFragment[] | undefined, frame) => [
    ...(samples ?? []),
    ...frame.samples,
  ]);
  const error = read.error.value ?? live.error.value;
  const samples = over ? (read.data.value?.job?.telemetry ?? live.value.value) : live.value.value;
  if (error) return <Problem error={error} onRetry={over ? read.refresh : undefined} />;
  if (!samples) return <Skeleton rows={6} />;
  if (samples.length === 0) return <Empty>No samples{over ? '' : ' yet'}. The agent of a device reports them while a step runs.</Empty>;
  return <Usage job={job} samples={samples} />;
}

function Usage({ job, samples }: { readonly job: LiveJob; readonly samples: readonly UsageFieldsFragment[] }) {
  const { window, zoom } = useChartView('TIME');
  const steps = useMemo(() => [...new Set(samples.map(({ stepNumber }) => stepNumber))].sort((a, b) => a - b), [samples]);
  const start = Date.parse(job.createdAt) / 1_000;
  const end = job.finishedAt === null ? now.value / 1_000 : Date.parse(job.finishedAt) / 1_000;
  const nameOf = (step: number) => job.steps.find(({ number }) => number === step)?.name ?? `step ${step}`;
  const bands = job.steps.flatMap(({ number, attempts }): Band[] =>
    attempts.map(({ claimedAt, finishedAt }) => ({
      from: Date.parse(claimedAt) / 1_000,
      to: finishedAt === null ? end : Date.parse(finishedAt) / 1_000,
      colour: number,
    })),
  );
  const lines = steps.map((step): Line => ({ name: nameOf(step), colour: step }));
  const charts = useMemo(
    () =>
      measures.flatMap(({ title, of, format }) => {
        const curves = steps.map((step) => {
          const own = samples.filter((sample) => sample.stepNumber === step && of(sample) !== null);
          return { x: own.map(({ at }) => Date.parse(at) / 1_000), y: own.map((sample) => of(sample) ?? 0) };
        });
        return curves.some(({ x }) => x.length > 0) ? [{ title, format, data: align(curves) }] : [];
      }),
    [samples, steps],
  );
  return (
    <div class="grid below-tabs">
      {(window.from !== null || window.to !== null) && (
        <div class="w12">
          <button type="button" onClick={() => zoom(null, null)}>
            Reset zoom
          </button>
        </div>
      )}
      {charts.map(({ title, format, data }) => (
        <Panel key={title} title={title} columns={6} aside={plural(samples.length, 'sample')}>
          <Chart
            label={`${title} over time`}
            axis="TIME"
            lines={lines}
            data={data}
            from={window.from ?? start}
            to={window.to ?? end}
            bands={bands}
            isFromZero
            sync="machine"
            format={format}
            onZoom={zoom}
          />
        </Panel>
      ))}
      {lines.length > 1 && <Legend lines={lines} />}
    </div>
  );
}

const Legend = ({ lines }: { readonly lines: readonly Line[] }) => (
  <ul class="row w12" aria-label="Steps">
    {lines.map(({ name, colour }) => (
      <li class="row" key={colour}>
        <Swatch colour={colour} /> {name}
      </li>
    ))}
  </ul>
);
