/** Experiments: queues of jobs, each of which starts from the model of the one before. */
import { useLocation } from 'preact-iso';
import { Pager } from '../components/pager.tsx';
import { Empty, Problem, Skeleton } from '../components/panel.tsx';
import { useRowKeys } from '../components/row-keys.ts';
import { Status } from '../components/status.tsx';
import { Ago } from '../components/time.tsx';
import { setTitle } from '../components/title.ts';
import { formatCount } from '../format/numbers.ts';
import { ExperimentTableDocument, type ExperimentTableQuery, JobChangesDocument } from '../generated.ts';
import { useNewest } from '../streams/live.ts';
import { useQuery } from '../streams/query.ts';
import { useRefreshOn } from '../streams/refresh.ts';

export function ExperimentsPage() {
  setTitle('Experiments');
  const { query } = useLocation();
  const { data, error, refresh } = useQuery(ExperimentTableDocument, { after: query.after ?? null });
  useRefreshOn(useNewest(JobChangesDocument, { filter: null }).value, refresh);
  const experiments = data.value?.experiments;
  return (
    <>
      <div class="head">
        <div>
          <h1>Experiments</h1>
        </div>
      </div>
      {error.value && <Problem error={error.value} onRetry={refresh} />}
      {!experiments && !error.value && <Skeleton rows={4} />}
      {experiments?.nodes.length === 0 && (
        <Empty>
          <p>No experiment yet. An experiment runs jobs one after another, each from the model of the one before.</p>
          <p>
            Make one with <code>createExperiment</code> in <a href="/graphql">GraphiQL</a>, and give its id to a job as{' '}
            <code>experimentId</code>.
          </p>
        </Empty>
      )}
      {experiments && experiments.nodes.length > 0 && (
        <>
          <Table experiments={experiments.nodes} />
          <Pager shown={experiments.nodes.length} total={experiments.totalCount} pageInfo={experiments.pageInfo} />
        </>
      )}
    </>
  );
}

function Table({ experiments }: { readonly experiments: ExperimentTableQuery['experiments']['nodes'] }) {
  const chosen = useRowKeys(experiments.map(({ id }) => `/experiments/${id}`));
  return (
    <div class="scrolls">
      <table>
        <thead>
          <tr>
            <th scope="col">Experiment</th>
            <th scope="col">Current job</th>
            <th scope="col" class="right">
              Jobs
            </th>
            <th scope="col" class="wide">
              Project
            </th>
            <th scope="col" class="wide right">
              Created
            </th>
          </tr>
        </thead>
        <tbody>
          {experiments.map(({ id, name, currentJob, jobs, project, createdAt }, index) => (
            <tr key={id} aria-selected={chosen.value === index}>
              <th scope="row">
                <a href={`/experiments/${id}`}>{name}</a>
              </th>
              <td>
                {currentJob ? (
                  <a href={`/jobs/${currentJob.id}`}>
                    <Status status={currentJob.status}>
                      <span class="ellipsis title">{currentJob.name}</span>
                    </Status>
                  </a>
                ) : (
                  <span class="faint">none</span>
                )}
              </td>
              <td class="right mono">{formatCount(jobs.totalCount)}</td>
              <td class="wide muted">{project.name}</td>
              <td class="wide right">
                <Ago at={createdAt} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
