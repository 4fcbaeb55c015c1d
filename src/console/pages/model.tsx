/** One model: its versions, how good they are, and what each was made from. */
import { useSignal } from '@preact/signals';
import { Fragment } from 'preact';
import { useLocation, useRoute } from 'preact-iso';
import { Id } from '../components/copy.tsx';
import { Pager } from '../components/pager.tsx';
import { Empty, Panel, Problem, Skeleton } from '../components/panel.tsx';
import { Preview } from '../components/preview.tsx';
import { Status } from '../components/status.tsx';
import { Ago } from '../components/time.tsx';
import { setTitle } from '../components/title.ts';
import { chooseMetrics, formatBytes, formatValue } from '../format/numbers.ts';
import { JobChangesDocument, ModelPageDocument, type ModelPageQuery } from '../generated.ts';
import { useNewest } from '../streams/live.ts';
import { useQuery } from '../streams/query.ts';
import { useRefreshOn } from '../streams/refresh.ts';

type Version = NonNullable<ModelPageQuery['model']>['versions']['nodes'][number];

export function ModelPage() {
  const { params } = useRoute();
  const { query } = useLocation();
  const id = params.id ?? '';
  const { data, error, refresh } = useQuery(ModelPageDocument, { id, after: query.after ?? null });
  useRefreshOn(useNewest(JobChangesDocument, { filter: { statuses: ['SUCCEEDED'] } }).value, refresh);
  if (error.value) return <Problem error={error.value} onRetry={refresh} />;
  if (!data.value) return <Skeleton rows={8} />;
  const { model } = data.value;
  if (!model) return <Empty>There is no model at this address.</Empty>;
  setTitle(model.name);
  const { nodes, totalCount, pageInfo } = model.versions;
  return (
    <>
      <div class="head">
        <div>
          <h1>{model.name}</h1>
          <div class="facts">
            <span>{model.project.name}</span>
            <span>
              created <Ago at={model.createdAt} />
            </span>
            <Id id={model.id} />
          </div>
        </div>
      </div>
      <div class="grid">
        <Panel title="Where the newest version comes from">
          <Lineage versions={nodes} />
        </Panel>
        <Panel title="Versions">
          <Versions versions={nodes} />
          <Pager shown={nodes.length} total={totalCount} pageInfo={pageInfo} />
        </Panel>
      </div>
    </>
  );
}

/** Version, the job that made it, the version that the job started from, and so on. */
function Lineage({ versions }: { readonly versions: readonly Version[] }) {
  const chain: Version[] = [];
  for (let at = versions[0]; at !== undefined && !chain.includes(at); ) {
    chain.push(at);
    const from: string | undefined = at.job?.startModelVersion?.id;
    at = from === undefined ? undefined : versions.find(({ id }) => id === from);
  }
  const last = chain.at(-1);
  if (last === undefined) return <Empty>There is no version: its files were deleted.</Empty>;
  return (
    <p class="lineage">
      {chain.map((version, index) => (
        <Fragment key={version.id}>
          {index > 0 && <span class="faint">from</span>}
          <b>version {version.number}</b>
          <span class="faint">by</span>
          <Maker job={version.job} />
        </Fragment>
      ))}
      <Start version={last} />
    </p>
  );
}

function Maker({ job }: { readonly job: Version['job'] }) {
  if (!job) return <span class="faint">a job that was deleted</span>;
  return (
    <a href={`/jobs/${job.id}`}>
      <Status status={job.status}>
        <span class="ellipsis title">{job.name}</span>
      </Status>
    </a>
  );
}

/** What the oldest known job of the lineage started from. */
function Start({ version: { job } }: { readonly version: Version }) {
  if (job?.startModelVersion)
    return (
      <>
        <span class="faint">from</span>
        <a href={`/models/${job.startModelVersion.model.id}`}>
          {job.startModelVersion.model.name}, version {job.startModelVersion.number}
        </a>
      </>
    );
  if (job?.startModel)
    return (
      <>
        <span class="faint">from</span>
        {job.startModel.job ? <a href={`/jobs/${job.startModel.job.id}/files`}>{job.startModel.filename}</a> : job.startModel.filename}
      </>
    );
  return <span class="faint">from nothing</span>;
}

function Versions({ versions }: { readonly versions: readonly Version[] }) {
  const opened = useSignal<string | null>(null);
  const metrics = chooseMetrics(versions.map((version) => version.metrics));
  const width = metrics.length + 5;
  return (
    <div class="scrolls">
      <table>
        <thead>
          <tr>
            <th scope="col">Version</th>
            {metrics.map((name) => (
              <th scope="col" class="right mono" key={name}>
                {name}
              </th>
            ))}
            <th scope="col" class="wide">
              Made by
            </th>
            <th scope="col" class="wide">
              Started from
            </th>
            <th scope="col" class="right">
              File
            </th>
            <th scope="col" class="right wide">
              Made
            </th>
          </tr>
        </thead>
        <tbody>
          {versions.map((version) => {
            const { id, number, fragment, job, createdAt } = version;
            const isOpen = opened.value === id;
            return (
              <Fragment key={id}>
                <tr aria-selected={isOpen}>
                  <th scope="row">
                    <button
                      type="button"
                      class="plain"
                      aria-expanded={isOpen}
                      onClick={() => {
                        opened.value = isOpen ? null : id;
                      }}
                    >
                      {isOpen ? '▾' : '▸'} {number}
                    </button>
                  </th>
                  {metrics.map((name) => {
                    const metric = version.metrics.find((one) => one.name === name);
                    return (
                      <td class="right mono" key={name}>
                        {metric ? formatValue(metric.value) : <span class="faint">–</span>}
                      </td>
                    );
                  })}
                  <td class="wide">
                    <Maker job={job} />
                  </td>
                  <td class="wide">
                    {job?.startModelVersion ? (
                      <a href={`/models/${job.startModelVersion.model.id}`}>version {job.startModelVersion.number}</a>
                    ) : (
                      <span class="faint">{job?.startModel?.filename ?? '–'}</span>
                    )}
                  </td>
                  <td class="right">
                    {fragment.downloadUrl ? (
                      <a class="link" href={fragment.downloadUrl} download={fragment.filename}>
                        {fragment.filename}
                      </a>
                    ) : (
                      fragment.filename
                    )}{' '}
                    <span class="muted mono">{fragment.sizeBytes === null ? '' : formatBytes(fragment.sizeBytes)}</span>
                  </td>
                  <td class="right wide">
                    <Ago at={createdAt} />
                  </td>
                </tr>
                {isOpen && (
                  <tr>
                    <td colSpan={width} class="preview">
                      <Preview file={fragment} />
                    </td>
                  </tr>
                )}
              </Fragment>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}
