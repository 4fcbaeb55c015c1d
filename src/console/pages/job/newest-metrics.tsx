import { byWeight } from '../../format/metric-names.ts';
import { formatMegabytes, formatPercent, formatValue } from '../../format/numbers.ts';
import type { LiveJob } from './job.tsx';

const SHOWN_METRICS = 6;

/** The newest value of the first metrics, and what the job consumes now. */
export function NewestMetrics({ job }: { readonly job: LiveJob }) {
  const byName = new Map(job.metrics.map((metric) => [metric.name, metric]));
  const shown = byWeight(byName.keys())
    .slice(0, SHOWN_METRICS)
    .flatMap((name) => byName.get(name) ?? []);
  const telemetry = job.status === 'RUNNING' ? job.latestTelemetry : null;
  if (shown.length === 0 && !telemetry) return null;
  return (
    <dl class="metrics">
      {shown.map(({ name, value, iteration }) => (
        <div class="metric" key={name}>
          <dt>{name}</dt>
          <dd title={iteration === null ? undefined : `at iteration ${iteration}`}>{formatValue(value)}</dd>
        </div>
      ))}
      {telemetry && (
        <>
          <Fact name="CPU" value={`${telemetry.cpu.toFixed(2)} cores`} />
          <Fact name="Memory" value={formatMegabytes(telemetry.memoryMb)} />
          {telemetry.gpuDutyCycle !== null && telemetry.gpuDutyCycle !== undefined && (
            <Fact name="GPU" value={formatPercent(telemetry.gpuDutyCycle / 100)} />
          )}
        </>
      )}
    </dl>
  );
}

function Fact({ name, value }: { readonly name: string; readonly value: string }) {
  return (
    <div class="metric">
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}
