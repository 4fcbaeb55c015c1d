/** One job: what it is, how it goes, and tabs with its log, curves, machine, files and events. */
import { type ReadonlySignal, useComputed, useSignalEffect } from '@preact/signals';
import { lazy, useLocation, useRoute } from 'preact-iso';
import { Gantt } from '../../components/gantt.tsx';
import { Empty, Problem, Skeleton } from '../../components/panel.tsx';
import { Tabs } from '../../components/tabs.tsx';
import { setTitle } from '../../components/title.ts';
import { JobLiveDocument, type JobLiveSubscription } from '../../generated.ts';
import { useNewest } from '../../streams/live.ts';
import { useNewestMetrics } from '../../streams/newest-metrics.ts';
import { EventsTab } from './events-tab.tsx';
import { FilesTab } from './files-tab.tsx';
import { JobHead } from './head.tsx';
import { LogTab } from './log-tab.tsx';
import { NewestMetrics, pickMetrics } from './newest-metrics.tsx';
import { RoundsTab } from './rounds-tab.tsx';
import { SettingsTab } from './settings-tab.tsx';
import { WhyNot } from './why-not.tsx';

// With uPlot, which most visits to a job do without.
const MetricsTab = lazy(() => import('./metrics-tab.tsx').then(({ MetricsTab }) => MetricsTab));
const MachineTab = lazy(() => import('./machine-tab.tsx').then(({ MachineTab }) => MachineTab));

/** A job as the page's stream delivers it. */
export type LiveJob = JobLiveSubscription['jobUpdated'];

export function JobPage() {
  const { params } = useRoute();
  const id = params.id ?? '';
  const { value, error } = useNewest(JobLiveDocument, { id });
  useSignalEffect(() => {
    if (value.value) setTitle(value.value.name, value.value.status);
  });
  const job = value.value;
  if (error.value) return <Problem error={error.value} />;
  if (!job) return <Skeleton rows={8} />;
  return <JobView key={id} job={job} />;
}

function JobView({ job }: { readonly job: LiveJob }) {
  const { id } = job;
  const { path } = useLocation();
  const newest = useNewestMetrics(id, job.metrics, pickMetrics(job.metrics.map(({ name }) => name)));
  const metricNames = useComputed(() => [...newest.value.keys()].sort());
  const tab = path.slice(`/jobs/${id}`.length + 1).split('/')[0] || 'log';
  return (
    <>
      <JobHead job={job} />
      <NewestMetrics job={job} newest={newest} />
      <WhyNot job={job} />
      <Gantt
        steps={job.steps}
        createdAt={job.createdAt}
        finishedAt={job.finishedAt}
        linkOf={(step, attempt) => `/jobs/${id}#s${step}a${attempt}`}
      />
      <Tabs
        base={`/jobs/${id}`}
        tabs={[
          ['log', 'Log'],
          ['metrics', 'Metrics', metricNames.value.length],
          ['machine', 'Machine'],
          ['files', 'Files'],
          ['events', 'Events'],
          ...(job.federation ? ([['rounds', 'Rounds']] as const) : []),
          ['settings', 'Settings'],
        ]}
        current={tab}
      />
      <Tab tab={tab} job={job} metricNames={metricNames} />
    </>
  );
}

interface TabProps {
  readonly tab: string;
  readonly job: LiveJob;
  readonly metricNames: ReadonlySignal<readonly string[]>;
}

function Tab({ tab, job, metricNames }: TabProps) {
  switch (tab) {
    case 'log':
      return <LogTab job={job} />;
    case 'metrics':
      return <MetricsTab job={job} names={metricNames} />;
    case 'machine':
      return <MachineTab job={job} />;
    case 'files':
      return <FilesTab job={job} />;
    case 'events':
      return <EventsTab job={job} />;
    case 'rounds':
      return <RoundsTab job={job} />;
    case 'settings':
      return <SettingsTab job={job} />;
    default:
      return <Empty>There is no such tab.</Empty>;
  }
}
