/** The jobs that failed last, each with the last thing that its step wrote. */
import { Empty, Panel, Problem, Skeleton } from '../../components/panel.tsx';
import { Status, wordOf } from '../../components/status.tsx';
import { Ago } from '../../components/time.tsx';
import { LastFailuresDocument, type LastFailuresQuery, LastLogLineDocument } from '../../generated.ts';
import { useQuery, useRefresh } from '../../streams/query.ts';
import type { VersionedProps } from './home.tsx';

export function FailuresPanel({ version }: VersionedProps) {
  const read = useQuery(LastFailuresDocument, {});
  useRefresh(read, version);
  const jobs = read.data.value?.jobs.nodes;
  return (
    <Panel title="Last failures" aside={jobs && jobs.length > 0 ? <a href="/jobs?status=FAILED&order=finished">all</a> : undefined}>
      {read.error.value ? (
        <Problem error={read.error.value} onRetry={read.refresh} />
      ) : !jobs ? (
        <Skeleton />
      ) : jobs.length === 0 ? (
        <Empty>No job has failed.</Empty>
      ) : (
        <table class="home-table">
          <thead>
            <tr>
              <th scope="col">
                <span class="unseen">Name</span>
              </th>
              <th scope="col">
                <span class="unseen">Last line of its log</span>
              </th>
              <th scope="col" class="when">
                <span class="unseen">Why and when</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {jobs.map((job) => (
              <Failure key={job.id} job={job} />
            ))}
          </tbody>
        </table>
      )}
    </Panel>
  );
}

function Failure({ job }: { readonly job: LastFailuresQuery['jobs']['nodes'][number] }) {
  const step = job.steps.find(({ status }) => status === 'FAILED');
  const { data } = useQuery(LastLogLineDocument, step ? { stepId: step.id } : null);
  const line = data.value?.step?.logTail.trim();
  const { reason, description, exitCode } = job.history;
  const why = [step && `step ${step.name}`, exitCode === null ? wordOf(reason) : `exit code ${exitCode}`].filter(Boolean).join(' · ');
  return (
    <tr>
      <th scope="row">
        <Status status="FAILED">
          <a href={`/jobs/${job.id}`} class="ellipsis" title={job.name}>
            {job.name}
          </a>
        </Status>
      </th>
      <td class={line ? 'mono bad' : 'muted'} title={line || description}>
        {line || description}
      </td>
      <td class="right muted when">
        {why} · <Ago at={job.finishedAt} />
      </td>
    </tr>
  );
}
