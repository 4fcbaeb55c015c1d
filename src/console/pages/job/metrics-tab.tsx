/** The curves of a job: a chart a metric, folded by the first part of their names. */
import { type ReadonlySignal, useSignal } from '@preact/signals';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import { useAddress } from '../../components/address.ts';
import { Chart, type Line, tick } from '../../components/chart.tsx';
import { useInView } from '../../components/in-view.ts';
import { Empty, Problem, Skeleton } from '../../components/panel.tsx';
import { isOver } from '../../components/status.tsx';
import { type Curve, positive, smooth } from '../../curves/curve.ts';
import { CurveFeed } from '../../curves/curve-feed.ts';
import { curvesOfJob } from '../../curves/sources.ts';
import { ChartTools, type ChartView, useChartView } from '../../curves/view.tsx';
import { formatCount, formatValue, plural } from '../../format/numbers.ts';
import type { LiveJob } from './job.tsx';

/** From this many metrics on there is a field to find one. */
const MANY_METRICS = 12;

interface MetricsTabProps {
  readonly job: LiveJob;
  readonly names: ReadonlySignal<readonly string[]>;
}

export function MetricsTab({ job, names }: MetricsTabProps) {
  const view = useChartView();
  const { query, set } = useAddress();
  const status = useRef(job.status);
  status.current = job.status;
  const feed = useMemo(
    () =>
      new CurveFeed(
        curvesOfJob(job.id, () => !isOver(status.current)),
        view.window,
      ),
    [job.id],
  );
  useEffect(() => () => feed.stop(), [feed]);
  const { axis, from, to } = view.window;
  useEffect(() => feed.setWindow({ axis, from, to }), [feed, axis, from, to]);
  const sought = (query.find ?? '').toLowerCase();
  const shown = names.value.filter((name) => name.toLowerCase().includes(sought));
  const groups = [...Map.groupBy(shown, prefixOf)];
  if (names.value.length === 0)
    return (
      <Empty>
        {isOver(job.status) ? 'The job reported no metrics.' : 'No metrics yet.'} A script reports one by printing a line of JSON, or with{' '}
        <code>trainyard</code>'s client.
      </Empty>
    );
  return (
    <>
      <div class="row chart-tools">
        {names.value.length > MANY_METRICS && (
          <input
            type="search"
            placeholder={`Find one of ${names.value.length} metrics`}
            aria-label="Find a metric"
            value={query.find ?? ''}
            onInput={({ currentTarget }) => set({ find: currentTarget.value || null })}
          />
        )}
        <ChartTools view={view} />
      </div>
      {feed.error.value && <Problem error={feed.error.value} onRetry={() => feed.refresh()} />}
      {shown.length === 0 && <Empty>No metric has "{query.find}" in its name.</Empty>}
      {groups.map(([prefix, members]) =>
        groups.length === 1 ? (
          <Charts key={prefix} names={members} feed={feed} view={view} />
        ) : (
          <details class="metric-group" key={prefix} open>
            <summary>
              {prefix || 'other'} <span class="faint">{plural(members.length, 'metric')}</span>
            </summary>
            <Charts names={members} feed={feed} view={view} />
          </details>
        ),
      )}
    </>
  );
}

const prefixOf = (name: string): string => (name.includes('/') ? name.slice(0, name.indexOf('/') + 1) : '');

interface ChartsProps {
  readonly names: readonly string[];
  readonly feed: CurveFeed;
  readonly view: ChartView;
}

const Charts = ({ names, feed, view }: ChartsProps) => (
  <div class="charts">
    {names.map((name, index) => (
      <MetricChart key={name} name={name} colour={index} feed={feed} view={view} />
    ))}
  </div>
);

interface MetricChartProps {
  readonly name: string;
  readonly colour: number;
  readonly feed: CurveFeed;
  readonly view: ChartView;
}

function MetricChart({ name, colour, feed, view }: MetricChartProps) {
  const place = useRef<HTMLElement>(null);
  const isInView = useInView(place);
  useEffect(() => (isInView.value ? feed.show(name) : undefined), [feed, name, isInView.value]);
  const curve = feed.curvesOf(name).value?.[0];
  return (
    <section class="panel chart" ref={place} aria-label={name}>
      <h2>
        <span class="ellipsis" title={name}>
          {name}
        </span>
      </h2>
      {isInView.value && curve ? <MetricCurve name={name} colour={colour} curve={curve} view={view} /> : <Waiting />}
    </section>
  );
}

/** As high as a chart, so that nothing moves when it comes. */
const Waiting = () => (
  <>
    <div class="plot">
      <Skeleton rows={5} />
    </div>
    <div class="foot" />
  </>
);

interface MetricCurveProps {
  readonly name: string;
  readonly colour: number;
  readonly curve: Curve;
  readonly view: ChartView;
}

function MetricCurve({ name, colour, curve, view }: MetricCurveProps) {
  const { smoothing, isLog, window, zoom } = view;
  const hovered = useSignal<number | null>(null);
  const { data, lines } = useMemo(() => {
    const shownAsLog = isLog && curve.y.some((value) => value > 0);
    const scaled = shownAsLog ? positive(curve.y) : curve.y;
    const line: Line = { name, colour };
    if (smoothing === 0) return { data: [curve.x, scaled] as const, lines: [line] };
    const smoothed = smooth(curve.y, smoothing);
    return {
      data: [curve.x, scaled, shownAsLog ? positive(smoothed) : smoothed] as const,
      lines: [{ ...line, isPale: true }, line],
    };
  }, [curve, smoothing, isLog, name, colour]);
  const { axis } = window;
  if (curve.x.length === 0) return <NoPoints curve={curve} />;
  const row = hovered.value;
  const [x, y] = row === null ? [] : [curve.x[row], curve.y[row]];
  return (
    <>
      <Chart
        label={`${name}: ${summaryOf(curve)}`}
        axis={axis}
        lines={lines}
        data={data}
        from={window.from}
        to={window.to}
        isLog={isLog && curve.y.some((value) => value > 0)}
        sync="metrics"
        onZoom={zoom}
        onHover={(at) => {
          hovered.value = at;
        }}
      />
      <div class="foot">
        <span>{countOf(curve)}</span>
        <span class="mono">
          {x === undefined || y === undefined
            ? rangeOf(curve)
            : `${axis === 'ITERATION' ? 'at ' : ''}${tick(x, axis)}: ${y}${smoothing > 0 && row !== null ? ` · smooth ${formatValue(data[2]?.[row] ?? y)}` : ''}`}
        </span>
      </div>
    </>
  );
}

/** Says how many points the drawn ones stand for. */
function countOf({ x, points, total, missed, unplaced }: Curve): string {
  const parts = [points > x.length + unplaced ? `${formatCount(x.length)} of ${plural(points, 'point')}` : plural(points, 'point')];
  if (points < total) parts.push(`${formatCount(total)} in all`);
  if (unplaced > 0) parts.push(`${formatCount(unplaced)} without an iteration`);
  if (missed > 0) parts.push(`${formatCount(missed)} deleted by retention`);
  return parts.join(' · ');
}

const rangeOf = ({ min, max, last }: Curve): string =>
  min === null || max === null || last === null ? '' : `min ${formatValue(min)} · max ${formatValue(max)} · last ${formatValue(last)}`;

const summaryOf = (curve: Curve): string => `${countOf(curve)}, ${rangeOf(curve)}`;

function NoPoints({ curve }: { readonly curve: Curve }) {
  const { set } = useAddress();
  return (
    <>
      <div class="nothing">
        {curve.unplaced > 0 ? (
          <>
            <p>Its points have no iteration.</p>
            <button type="button" onClick={() => set({ x: 'elapsed', from: null, to: null })}>
              Show by elapsed time
            </button>
          </>
        ) : (
          <p>{curve.total > 0 ? `None of its ${plural(curve.total, 'point')} is in this window.` : 'No points.'}</p>
        )}
      </div>
      <div class="foot" />
    </>
  );
}
