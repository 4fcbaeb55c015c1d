import { Empty, Panel, Problem, Skeleton } from '../../components/panel.tsx';
import { Status } from '../../components/status.tsx';
import { Ago } from '../../components/time.tsx';
import { plural } from '../../format/numbers.ts';
import { HeadOfQueueDocument } from '../../generated.ts';
import { useQuery, useRefresh } from '../../streams/query.ts';
import { WhyNot } from '../job/why-not.tsx';
import type { VersionedProps } from './home.tsx';

/** The job that has waited longest, and what it waits for. */
export function WaitingPanel({ version }: VersionedProps) {
  const read = useQuery(HeadOfQueueDocument, {});
  useRefresh(read, version);
  const jobs = read.data.value?.jobs;
  const job = jobs?.nodes[0];
  return (
    <Panel
      title="Waiting"
      columns={4}
      aside={
        jobs && jobs.totalCount > 1 ? (
          <a href="/jobs?status=QUEUED&status=SUSPENDED&direction=asc">{plural(jobs.totalCount, 'job')}</a>
        ) : undefined
      }
    >
      {read.error.value ? (
        <Problem error={read.error.value} onRetry={read.refresh} />
      ) : !jobs ? (
        <Skeleton />
      ) : job ? (
        <div class="waiting">
          <Status status={job.status}>
            <a href={`/jobs/${job.id}`} class="ellipsis" title={job.name}>
              {job.name}
            </a>
          </Status>
          <p class="muted">
            created <Ago at={job.createdAt} />
          </p>
          <WhyNot job={job} />
        </div>
      ) : (
        <Empty>No job waits.</Empty>
      )}
    </Panel>
  );
}
