/** Jobs that run now: how far they are, and how their metrics go. */
import { useSignal } from '@preact/signals';
import { useEffect, useMemo } from 'preact/hooks';
import { Empty, Panel, Problem, Skeleton } from '../../components/panel.tsx';
import { Spark } from '../../components/spark.tsx';
import { isOver, Status } from '../../components/status.tsx';
import { Took } from '../../components/time.tsx';
import { byWeight } from '../../format/metric-names.ts';
import { formatValue } from '../../format/numbers.ts';
import { type RunningJobFieldsFragment, RunningJobsDocument } from '../../generated.ts';
import { useLive } from '../../streams/live.ts';
import { MetricsInView } from '../../streams/row-metrics.ts';
import { Level } from './level.tsx';

const SHOWN_JOBS = 8;
const SHOWN_METRICS = 3;

export function RunningPanel() {
  const round = useSignal(0);
  return (
    <RunningJobs
      key={round.value}
      onOutdated={() => {
        round.value += 1;
      }}
    />
  );
}

interface Running {
  readonly jobs: ReadonlyMap<string, RunningJobFieldsFragment>;
  readonly isOutdated: boolean;
}

/** @param props.onOutdated the gateway has forgotten changes: the list has to begin again */
function RunningJobs({ onOutdated }: { onOutdated(): void }) {
  const { value, error } = useLive(RunningJobsDocument, {}, (so: Running | undefined, { jobs, removedIds, missed }) => {
    const next = new Map(so?.jobs);
    for (const job of jobs) next.set(job.id, job);
    for (const id of removedIds) next.delete(id);
    return { jobs: next, isOutdated: missed > 0 };
  });
  const isOutdated = value.value?.isOutdated ?? false;
  useEffect(() => {
    if (isOutdated) onOutdated();
  }, [isOutdated]);
  const metrics = useMemo(() => new MetricsInView((names) => byWeight(names).slice(0, SHOWN_METRICS)), []);
  const all = [...(value.value?.jobs.values() ?? [])].sort((a, b) => (a.id < b.id ? 1 : -1));
  const shown = all.slice(0, SHOWN_JOBS);
  const key = shown.map(({ id }) => id).join();
  useEffect(() => metrics.show(shown.map(({ id }) => ({ id, isOver: false }))), [key, metrics]);
  useEffect(() => () => metrics.end(), [metrics]);
  return (
    <Panel title="Running" columns={8} aside={all.length > SHOWN_JOBS ? <a href="/jobs?status=RUNNING">all</a> : undefined}>
      {error.value ? (
        <Problem error={error.value} />
      ) : !value.value ? (
        <Skeleton />
      ) : shown.length === 0 ? (
        <Empty>Nothing runs.</Empty>
      ) : (
        <table class="home-table">
          <thead>
            <tr>
              <th scope="col">
                <span class="unseen">Name</span>
              </th>
              <th scope="col" class="progress">
                <span class="unseen">Progress</span>
              </th>
              <th scope="col">
                <span class="unseen">Newest metrics</span>
              </th>
              <th scope="col" class="curve wide">
                <span class="unseen">Curve</span>
              </th>
              <th scope="col" class="ran">
                <span class="unseen">Ran</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {shown.map((job) => (
              <RunningRow key={job.id} job={job} metrics={metrics} />
            ))}
          </tbody>
        </table>
      )}
    </Panel>
  );
}

function RunningRow({ job, metrics }: { readonly job: RunningJobFieldsFragment; readonly metrics: MetricsInView }) {
  const { values, curve } = metrics.get(job.id);
  const names = byWeight(values.keys()).slice(0, SHOWN_METRICS);
  const done = job.steps.filter(({ status }) => isOver(status)).length;
  const total = job.steps.length;
  return (
    <tr>
      <th scope="row">
        <Status status="RUNNING">
          <a href={`/jobs/${job.id}`} class="ellipsis" title={job.name}>
            {job.name}
          </a>
        </Status>
      </th>
      <td class="muted">
        step {Math.min(done + 1, total)} of {total}
        {total > 1 && <Level share={done / total} label={`${done} of ${total} steps are over`} />}
      </td>
      <td>
        <span class="row values">
          {names.map((name) => (
            <span key={name}>
              <span class="muted">{name}</span> <span class="mono">{formatValue(values.get(name) ?? 0)}</span>
            </span>
          ))}
        </span>
      </td>
      <td class="wide">{curve.length > 1 && <Spark values={curve} label={`Curve of ${names[0]}`} />}</td>
      <td class="right ran">
        <Took from={job.startedAt} to={null} />
      </td>
    </tr>
  );
}
