/** What a whole machine used: its processor, memory and GPU, as its agent reports them. */
import type { ReadonlySignal } from '@preact/signals';
import { useMemo } from 'preact/hooks';
import { formatMegabytes } from '../format/numbers.ts';
import { DeviceLoadDocument, type DeviceLoadQuery, type DevicePageQuery } from '../generated.ts';
import { useQuery } from '../streams/query.ts';
import { useRefreshOn } from '../streams/refresh.ts';
import { Empty, Problem, Skeleton } from './panel.tsx';
import { Ago } from './time.tsx';

const SHOWN_MS = 3_600_000;
/** A longer silence is a gap in the curve. */
const GAP_MS = 90_000;

type Sample = NonNullable<DeviceLoadQuery['device']>['telemetry'][number];

interface DeviceLoadProps {
  readonly id: string;
  readonly resources: NonNullable<DevicePageQuery['device']>['resources'];
  /** It is read again when this changes. */
  readonly changes: ReadonlySignal<unknown>;
}

export function DeviceLoad({ id, resources, changes }: DeviceLoadProps) {
  const from = useMemo(() => new Date(Date.now() - SHOWN_MS).toISOString(), [id]);
  const { data, error, refresh } = useQuery(DeviceLoadDocument, { id, from });
  useRefreshOn(changes, refresh);
  if (error.value) return <Problem error={error.value} onRetry={refresh} />;
  if (!data.value) return <Skeleton rows={3} />;
  const { telemetry = [], latestTelemetry = null } = data.value.device ?? {};
  if (telemetry.length === 0)
    return (
      <Empty>
        {latestTelemetry ? (
          <>
            The last report is from <Ago at={latestTelemetry.at} />.
          </>
        ) : (
          'Its agent reports none. `npx trainyard agent` reports it every 10 seconds.'
        )}
      </Empty>
    );
  const hasGpu = telemetry.some(({ gpuDutyCycle }) => gpuDutyCycle !== null);
  return (
    <div class="load">
      <Curve name="CPU" samples={telemetry} most={resources.cpu} read={({ cpu }) => cpu} format={(cores) => `${cores.toFixed(2)} cores`} />
      <Curve name="Memory" samples={telemetry} most={resources.memoryMb} read={({ memoryMb }) => memoryMb} format={formatMegabytes} />
      {hasGpu && (
        <Curve name="GPU" samples={telemetry} most={100} read={({ gpuDutyCycle }) => gpuDutyCycle} format={(share) => `${share} %`} />
      )}
    </div>
  );
}

interface CurveProps {
  readonly name: string;
  readonly samples: readonly Sample[];
  /** What the machine has. Null: it did not say, so the highest value. */
  readonly most: number | null;
  read(sample: Sample): number | null;
  format(value: number): string;
}

const WIDTH = 600;
const HEIGHT = 100;

function Curve({ name, samples, most, read, format }: CurveProps) {
  const points = samples.flatMap((sample) => {
    const value = read(sample);
    return value === null ? [] : [{ at: Date.parse(sample.at), value }];
  });
  const [first] = points;
  const last = points.at(-1);
  if (!first || !last) return null;
  const peak = points.reduce((highest, { value }) => Math.max(highest, value), 0);
  const top = Math.max(most ?? 0, peak) || 1;
  const span = Math.max(1, last.at - first.at);
  const path = points.map(({ at, value }, index) => {
    const before = points[index - 1];
    const isStart = before === undefined || at - before.at > GAP_MS;
    return `${isStart ? 'M' : 'L'}${(((at - first.at) / span) * WIDTH).toFixed(1)} ${(HEIGHT - (value / top) * (HEIGHT - 2)).toFixed(1)}`;
  });
  return (
    <figure>
      <figcaption>
        <span>
          {name} <b>{format(last.value)}</b>
        </span>
        <span class="faint">
          peak {format(peak)}
          {most !== null && `, has ${format(most)}`}
        </span>
      </figcaption>
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`${name}: ${format(last.value)}, peak ${format(peak)}`}
      >
        <path class="curve c1" d={path.join('')} />
      </svg>
    </figure>
  );
}
