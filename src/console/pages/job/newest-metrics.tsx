import type { ReadonlySignal } from '@preact/signals';
import { Spark } from '../../components/spark.tsx';
import { byWeight } from '../../format/metric-names.ts';
import { formatMegabytes, formatPercent, formatValue } from '../../format/numbers.ts';
import type { NewestMetricsByName } from '../../streams/newest-metrics.ts';
import type { LiveJob } from './job.tsx';

const SHOWN_METRICS = 6;

interface NewestMetricsProps {
  readonly job: LiveJob;
  readonly newest: ReadonlySignal<NewestMetricsByName>;
}

/** The newest value of the first metrics with their curves, and what the job consumes now. */
export function NewestMetrics({ job, newest }: NewestMetricsProps) {
  const values = newest.value;
  const telemetry = job.status === 'RUNNING' ? job.latestTelemetry : null;
  if (values.size === 0 && !telemetry) return null;
  return (
    <dl class="metrics">
      {pickMetrics([...values.keys()]).map((name, index) => {
        const { value, iteration, values: curve } = values.get(name) ?? { value: 0, iteration: null, values: [] };
        return (
          <div class="metric" key={name}>
            <dt>{name}</dt>
            <dd title={iteration === null ? undefined : `at iteration ${iteration}`}>
              {formatValue(value)}
              <Spark values={curve} label={`${name} over time`} colour={index} />
            </dd>
          </div>
        );
      })}
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

/** The names of the metrics to show. */
export const pickMetrics = (names: readonly string[]): string[] => byWeight(names).slice(0, SHOWN_METRICS);
