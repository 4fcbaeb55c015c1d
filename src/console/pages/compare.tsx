/** Several jobs side by side: their curves, and where their settings differ. */
import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import { useAddress } from '../components/address.ts';
import { Chart, type Line, tick } from '../components/chart.tsx';
import { Command } from '../components/copy.tsx';
import { useInView } from '../components/in-view.ts';
import { Empty, Panel, Problem, Skeleton } from '../components/panel.tsx';
import { Swatch } from '../components/spark.tsx';
import { isOver, Status } from '../components/status.tsx';
import { setTitle } from '../components/title.ts';
import { align, positive, smooth } from '../curves/curve.ts';
import { CurveFeed } from '../curves/curve-feed.ts';
import { compareSettings, sharedMetrics } from '../curves/settings.ts';
import { curvesOfJobs } from '../curves/sources.ts';
import { ChartTools, type ChartView, useChartView } from '../curves/view.tsx';
import { formatCount, formatValue, plural } from '../format/numbers.ts';
import { ComparedExtremesDocument, ComparedJobsDocument, type ComparedJobsQuery } from '../generated.ts';
import { useQuery } from '../streams/query.ts';

type ComparedJob = Extract<ComparedJobsQuery['nodes'][number], { __typename: 'Job' }>;

/** The most jobs of one comparison: the gateway takes no more. */
const MOST_JOBS = 50;

/** `/compare?jobs=ID,ID`: a job has the colour of its place in the address. */
export function ComparePage() {
  const { query } = useAddress();
  const all = [...new Set((query.jobs ?? '').split(',').filter(Boolean))];
  const ids = all.slice(0, MOST_JOBS);
  const { data, error, refresh } = useQuery(ComparedJobsDocument, ids.length === 0 ? null : { ids });
  useEffect(() => setTitle('Compare'), []);
  if (ids.length === 0)
    return (
      <Empty>
        <p>Nothing is chosen. Select jobs in the list of jobs with x, then press c, or name them in the address:</p>
        <Command>{`${location.origin}/compare?jobs=job_…,job_…`}</Command>
        <p>
          <a href="/jobs">Choose jobs</a>
        </p>
      </Empty>
    );
  if (error.value) return <Problem error={error.value} onRetry={refresh} />;
  if (!data.value) return <Skeleton rows={8} />;
  const jobs = data.value.nodes.filter((node) => node?.__typename === 'Job');
  if (jobs.length === 0) return <Empty>None of these jobs exists, or your key may not see them.</Empty>;
  const missing = all.length - jobs.length;
  return (
    <>
      <h1>Compare {plural(jobs.length, 'job')}</h1>
      {missing > 0 && (
        <p class="muted">
          {plural(missing, 'job')} left out: deleted, not to be seen with your key, or beyond the {MOST_JOBS} of one comparison.
        </p>
      )}
      <Comparison jobs={jobs} ids={ids} key={jobs.map(({ id }) => id).join()} />
    </>
  );
}

function Comparison({ jobs, ids }: { readonly jobs: readonly ComparedJob[]; readonly ids: readonly string[] }) {
  const view = useChartView();
  const { query, set } = useAddress();
  const hidden = new Set((query.hide ?? '').split(',').filter(Boolean));
  const names = useMemo(() => sharedMetrics(jobs), [jobs]);
  const toggle = (id: string) => {
    const next = new Set(hidden);
    if (!next.delete(id)) next.add(id);
    set({ hide: next.size === 0 ? null : [...next].join() });
  };
  const colourOf = (id: string) => ids.indexOf(id);
  return (
    <>
      <ul class="legend" aria-label="Jobs">
        {jobs.map(({ id, name, status }) => (
          <li key={id} class="row">
            <label class="row">
              <input type="checkbox" checked={!hidden.has(id)} onChange={() => toggle(id)} aria-label={`Show ${name}`} />
              <Swatch colour={colourOf(id)} />
            </label>
            <Status status={status}>
              <a class="ellipsis" href={`/jobs/${id}`} title={name}>
                {name}
              </a>
            </Status>
          </li>
        ))}
      </ul>
      <div class="row chart-tools">
        <ChartTools view={view} />
      </div>
      {names.length === 0 && <Empty>These jobs reported no metrics.</Empty>}
      <div class="charts">
        {names.map((name) => (
          <ComparedChart key={name} name={name} jobs={jobs} hidden={hidden} colourOf={colourOf} view={view} />
        ))}
      </div>
      <BestValues jobs={jobs} names={names} />
      <Settings jobs={jobs} />
    </>
  );
}

interface ComparedChartProps {
  readonly name: string;
  readonly jobs: readonly ComparedJob[];
  readonly hidden: ReadonlySet<string>;
  readonly view: ChartView;
  colourOf(id: string): number;
}

function ComparedChart({ name, jobs, hidden, colourOf, view }: ComparedChartProps) {
  const place = useRef<HTMLElement>(null);
  const isInView = useInView(place);
  const hovered = useSignal<readonly [row: number | null, line: number | null]>([null, null]);
  const feed = useMemo(() => {
    const source = curvesOfJobs(
      jobs.map(({ id }) => id),
      () => jobs.some(({ status }) => !isOver(status)),
    );
    return new CurveFeed(source, view.window);
  }, [jobs]);
  useEffect(() => () => feed.stop(), [feed]);
  const { axis, from, to } = view.window;
  useEffect(() => feed.setWindow({ axis, from, to }), [feed, axis, from, to]);
  useEffect(() => (isInView.value ? feed.show(name) : undefined), [feed, name, isInView.value]);
  const curves = feed.curvesOf(name).value;
  const { smoothing, isLog } = view;
  const data = useMemo(() => {
    const smoothed = (curves ?? []).map(({ x, y }) => ({ x, y: smoothing > 0 ? smooth(y, smoothing) : y }));
    const [x, ...columns] = align(smoothed);
    return [x, ...(isLog ? columns.map(positive) : columns)] as const;
  }, [curves, smoothing, isLog]);
  const nameOf = new Map(jobs.map((job) => [job.id, job.name]));
  const lines = (curves ?? []).map(
    ({ jobId }): Line => ({ name: nameOf.get(jobId) ?? jobId, colour: colourOf(jobId), isHidden: hidden.has(jobId) }),
  );
  const drawn = curves?.reduce((sum, { x }) => sum + x.length, 0) ?? 0;
  const points = curves?.reduce((sum, curve) => sum + curve.points, 0) ?? 0;
  const [row, line] = hovered.value;
  const x = row === null ? undefined : data[0][row];
  const value = row === null || line === null ? undefined : data[line + 1]?.[row];
  return (
    <section class="panel chart" ref={place} aria-label={name}>
      <h2>
        <span class="ellipsis" title={name}>
          {name}
        </span>
      </h2>
      {feed.error.value && <Problem error={feed.error.value} onRetry={() => feed.refresh()} />}
      {isInView.value && curves && drawn > 0 ? (
        <Chart
          label={`${name} of ${plural(jobs.length, 'job')}`}
          axis={axis}
          lines={lines}
          data={data}
          from={from}
          to={to}
          isLog={isLog}
          sync="compare"
          onZoom={view.zoom}
          onHover={(...at) => {
            hovered.value = at;
          }}
        />
      ) : (
        <div class="plot">{curves ? <p class="nothing">No points on this axis.</p> : <Skeleton rows={5} />}</div>
      )}
      <div class="foot">
        <span>{curves && (points > drawn ? `${formatCount(drawn)} of ${plural(points, 'point')}` : plural(points, 'point'))}</span>
        <span class="mono ellipsis">
          {x !== undefined && tick(x, axis)}
          {line !== null && `: ${lines[line]?.name ?? ''} ${typeof value === 'number' ? value : ''}`}
        </span>
      </div>
    </section>
  );
}

/** A table that is wider than the page. The arrow keys scroll it. */
const Scrolls = ({ label, children }: { readonly label: string; readonly children: ComponentChildren }) => (
  // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to take the focus
  <section class="scrolls" aria-label={label} tabIndex={0}>
    {children}
  </section>
);

function BestValues({ jobs, names }: { readonly jobs: readonly ComparedJob[]; readonly names: readonly string[] }) {
  if (names.length === 0) return null;
  return (
    <Panel title="Newest value of each metric, with the lowest and the highest">
      <Scrolls label="Values of metrics">
        <table>
          <thead>
            <tr>
              <th scope="col">Metric</th>
              {jobs.map(({ id, name }) => (
                <th key={id} scope="col" class="right">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {names.map((name) => (
              <BestRow key={name} name={name} jobs={jobs} />
            ))}
          </tbody>
        </table>
      </Scrolls>
    </Panel>
  );
}

/** Its extremes are read when it comes into view: there may be hundreds of metrics. */
function BestRow({ name, jobs }: { readonly name: string; readonly jobs: readonly ComparedJob[] }) {
  const place = useRef<HTMLTableRowElement>(null);
  const isInView = useInView(place);
  const asked = useMemo(() => ({ ids: jobs.map(({ id }) => id), name }), [jobs, name]);
  const { data } = useQuery(ComparedExtremesDocument, isInView.value ? asked : null);
  const byJob = new Map(data.value?.compareMetric.map(({ job, min, max }) => [job.id, { min, max }]));
  return (
    <tr ref={place}>
      <th scope="row">{name}</th>
      {jobs.map(({ id, metrics }) => {
        const newest = metrics.find((metric) => metric.name === name)?.value;
        const { min = null, max = null } = byJob.get(id) ?? {};
        return (
          <td key={id} class="right mono">
            {newest === undefined ? '–' : formatValue(newest)}
            <div class="faint">{min === null || max === null ? '\u00a0' : `${formatValue(min)} … ${formatValue(max)}`}</div>
          </td>
        );
      })}
    </tr>
  );
}

function Settings({ jobs }: { readonly jobs: readonly ComparedJob[] }) {
  const rows = useMemo(() => compareSettings(jobs), [jobs]);
  return (
    <Panel title="Settings" aside={plural(rows.filter(({ differs }) => differs).length, 'difference')}>
      <Scrolls label="Settings">
        <table>
          <thead>
            <tr>
              <th scope="col">Setting</th>
              {jobs.map(({ id, name }) => (
                <th key={id} scope="col">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map(({ name, values, differs }) => (
              <tr key={name} class={differs ? undefined : 'muted'}>
                <th scope="row">{name}</th>
                {jobs.map(({ id }, index) => (
                  <td key={id} class="mono breaks">
                    {values[index] ?? '–'}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </Scrolls>
    </Panel>
  );
}
