/** Models: what training jobs made, in numbered versions. */
import { useLocation } from 'preact-iso';
import { Pager } from '../components/pager.tsx';
import { Empty, Problem, Skeleton } from '../components/panel.tsx';
import { useRowKeys } from '../components/row-keys.ts';
import { Ago } from '../components/time.tsx';
import { setTitle } from '../components/title.ts';
import { chooseMetrics, formatCount, formatValue } from '../format/numbers.ts';
import { JobChangesDocument, ModelTableDocument, type ModelTableQuery } from '../generated.ts';
import { useNewest } from '../streams/live.ts';
import { useQuery } from '../streams/query.ts';
import { useRefreshOn } from '../streams/refresh.ts';

export function ModelsPage() {
  setTitle('Models');
  const { query } = useLocation();
  const { data, error, refresh } = useQuery(ModelTableDocument, { after: query.after ?? null });
  // A version comes when a job succeeds.
  useRefreshOn(useNewest(JobChangesDocument, { filter: { statuses: ['SUCCEEDED'] } }).value, refresh);
  const models = data.value?.models;
  return (
    <>
      <div class="head">
        <div>
          <h1>Models</h1>
        </div>
      </div>
      {error.value && <Problem error={error.value} onRetry={refresh} />}
      {!models && !error.value && <Skeleton rows={4} />}
      {models?.nodes.length === 0 && (
        <Empty>
          No model yet. A training job that succeeds and hands in a file of type MODEL makes one, or a new version of the model that it
          names.
        </Empty>
      )}
      {models && models.nodes.length > 0 && (
        <>
          <Table models={models.nodes} />
          <Pager shown={models.nodes.length} total={models.totalCount} pageInfo={models.pageInfo} />
        </>
      )}
    </>
  );
}

function Table({ models }: { readonly models: ModelTableQuery['models']['nodes'] }) {
  const chosen = useRowKeys(models.map(({ id }) => `/models/${id}`));
  const metrics = chooseMetrics(models.map(({ versions }) => versions.nodes[0]?.metrics ?? []));
  return (
    <div class="scrolls">
      <table>
        <thead>
          <tr>
            <th scope="col">Model</th>
            <th scope="col" class="right">
              Versions
            </th>
            {metrics.map((name) => (
              <th scope="col" class="right mono" key={name}>
                {name}
              </th>
            ))}
            <th scope="col" class="wide">
              Project
            </th>
            <th scope="col" class="right wide">
              Newest
            </th>
          </tr>
        </thead>
        <tbody>
          {models.map(({ id, name, versions, project, updatedAt }, index) => (
            <tr key={id} aria-selected={chosen.value === index}>
              <th scope="row">
                <a href={`/models/${id}`}>{name}</a>
              </th>
              <td class="right mono">{formatCount(versions.totalCount)}</td>
              {metrics.map((metric) => {
                const found = versions.nodes[0]?.metrics.find((one) => one.name === metric);
                return (
                  <td class="right mono" key={metric}>
                    {found ? formatValue(found.value) : <span class="faint">–</span>}
                  </td>
                );
              })}
              <td class="wide muted">{project.name}</td>
              <td class="right wide">
                <Ago at={updatedAt} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
