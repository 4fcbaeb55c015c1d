/** One experiment: its jobs in their order, and the models between them. */
import { useLocation, useRoute } from 'preact-iso';
import { Id } from '../components/copy.tsx';
import { ModelFile } from '../components/model-file.tsx';
import { Pager } from '../components/pager.tsx';
import { Empty, Panel, Problem, Skeleton } from '../components/panel.tsx';
import { useRowKeys } from '../components/row-keys.ts';
import { Status } from '../components/status.tsx';
import { Ago, Took } from '../components/time.tsx';
import { setTitle } from '../components/title.ts';
import { chooseMetrics, formatValue } from '../format/numbers.ts';
import { ExperimentPageDocument, ExperimentQueueDocument, type ExperimentQueueQuery, JobChangesDocument } from '../generated.ts';
import { useNewest } from '../streams/live.ts';
import { useQuery } from '../streams/query.ts';
import { useRefreshOn } from '../streams/refresh.ts';

/** As many as one comparison holds. */
const COMPARED_JOBS = 50;

export function ExperimentPage() {
  const { params } = useRoute();
  const { query } = useLocation();
  const id = params.id ?? '';
  const { data, error, refresh } = useQuery(ExperimentPageDocument, { id });
  const queue = useQuery(ExperimentQueueDocument, { id, after: query.after ?? null });
  useRefreshOn(useNewest(JobChangesDocument, { filter: { experimentId: id } }).value, () => {
    refresh();
    queue.refresh();
  });
  const problem = error.value ?? queue.error.value;
  if (problem) return <Problem error={problem} onRetry={refresh} />;
  if (!data.value || !queue.data.value) return <Skeleton rows={8} />;
  const { experiment } = data.value;
  const jobs = queue.data.value.experiment?.jobs;
  if (!experiment || !jobs) return <Empty>There is no experiment at this address.</Empty>;
  setTitle(experiment.name);
  const parameters = Object.entries(experiment.hyperparameters);
  return (
    <>
      <div class="head">
        <div>
          <h1>{experiment.name}</h1>
          <div class="facts">
            <span>{experiment.project.name}</span>
            <span>
              created <Ago at={experiment.createdAt} />
            </span>
            <Id id={experiment.id} />
          </div>
        </div>
        {jobs.nodes.length > 1 && (
          <div class="actions">
            <a
              class="button link"
              href={`/compare?jobs=${jobs.nodes
                .slice(-COMPARED_JOBS)
                .map((job) => job.id)
                .join()}`}
            >
              Compare its jobs
            </a>
          </div>
        )}
      </div>
      <div class="grid">
        <Panel title="Current model" columns={parameters.length > 0 ? 4 : 6}>
          {experiment.currentModel ? <ModelFile file={experiment.currentModel} /> : <Empty>No job has made one yet.</Empty>}
        </Panel>
        <Panel title="Start model" columns={parameters.length > 0 ? 4 : 6}>
          {experiment.startModel ? <ModelFile file={experiment.startModel} /> : <Empty>The first job starts from nothing.</Empty>}
        </Panel>
        {parameters.length > 0 && (
          <Panel title="Hyperparameters" columns={4}>
            <dl class="pairs">
              {parameters.map(([name, value]) => [
                <dt class="mono" key={name}>
                  {name}
                </dt>,
                <dd class="mono" key={`${name}=`}>
                  {typeof value === 'string' ? value : JSON.stringify(value)}
                </dd>,
              ])}
            </dl>
          </Panel>
        )}
        <Panel title="Queue, in the order in which the jobs run">
          {jobs.nodes.length === 0 ? (
            <Empty>
              No job yet. Give a job this experiment: <code>{`experimentId: "${experiment.id}"`}</code>.
            </Empty>
          ) : (
            <>
              <Queue jobs={jobs.nodes.toReversed()} currentId={experiment.currentJob?.id ?? null} />
              <Pager shown={jobs.nodes.length} total={jobs.totalCount} pageInfo={jobs.pageInfo} />
            </>
          )}
        </Panel>
      </div>
    </>
  );
}

interface QueueProps {
  readonly jobs: NonNullable<ExperimentQueueQuery['experiment']>['jobs']['nodes'];
  readonly currentId: string | null;
}

function Queue({ jobs, currentId }: QueueProps) {
  const chosen = useRowKeys(jobs.map(({ id }) => `/jobs/${id}`));
  const metrics = chooseMetrics(jobs.map((job) => job.metrics));
  return (
    <div class="scrolls">
      <table>
        <thead>
          <tr>
            <th scope="col">Job</th>
            {metrics.map((name) => (
              <th scope="col" class="right mono" key={name}>
                {name}
              </th>
            ))}
            <th scope="col" class="right">
              Ran
            </th>
            <th scope="col" class="right wide">
              Created
            </th>
          </tr>
        </thead>
        <tbody>
          {jobs.map((job, index) => (
            <tr key={job.id} aria-selected={chosen.value === index} aria-current={job.id === currentId ? 'step' : undefined}>
              <th scope="row">
                <span class="row">
                  <a href={`/jobs/${job.id}`}>
                    <Status status={job.status}>
                      <span class="ellipsis title">{job.name}</span>
                    </Status>
                  </a>
                  {job.id === currentId && <span class="label">current</span>}
                </span>
              </th>
              {metrics.map((name) => {
                const metric = job.metrics.find((one) => one.name === name);
                return (
                  <td class="right mono" key={name}>
                    {metric ? formatValue(metric.value) : <span class="faint">–</span>}
                  </td>
                );
              })}
              <td class="right">
                <Took from={job.startedAt} to={job.finishedAt} />
              </td>
              <td class="right wide">
                <Ago at={job.createdAt} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
