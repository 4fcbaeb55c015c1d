/** One job: what it is, how it goes, and tabs with its log, curves, machine, files and events. */
import { useSignalEffect } from '@preact/signals';
import { useLocation, useRoute } from 'preact-iso';
import { Gantt } from '../../components/gantt.tsx';
import { Empty, Problem, Skeleton } from '../../components/panel.tsx';
import { Tabs } from '../../components/tabs.tsx';
import { setTitle } from '../../components/title.ts';
import { JobLiveDocument, type JobLiveSubscription } from '../../generated.ts';
import { useNewest } from '../../streams/live.ts';
import { EventsTab } from './events-tab.tsx';
import { FilesTab } from './files-tab.tsx';
import { JobHead } from './head.tsx';
import { LogTab } from './log-tab.tsx';
import { MachineTab } from './machine-tab.tsx';
import { MetricsTab } from './metrics-tab.tsx';
import { NewestMetrics } from './newest-metrics.tsx';
import { RoundsTab } from './rounds-tab.tsx';
import { SettingsTab } from './settings-tab.tsx';
import { WhyNot } from './why-not.tsx';

/** A job as the page's stream delivers it. */
export type LiveJob = JobLiveSubscription['jobUpdated'];

export function JobPage() {
  const { params } = useRoute();
  const { path } = useLocation();
  const id = params.id ?? '';
  const { value, error } = useNewest(JobLiveDocument, { id });
  useSignalEffect(() => {
    if (value.value) setTitle(value.value.name, value.value.status);
  });
  const job = value.value;
  if (error.value) return <Problem error={error.value} />;
  if (!job) return <Skeleton rows={8} />;
  const tab = path.slice(`/jobs/${id}`.length + 1).split('/')[0] || 'log';
  return (
    <>
      <JobHead job={job} />
      <NewestMetrics job={job} />
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
          ['metrics', 'Metrics', job.metrics.length],
          ['machine', 'Machine'],
          ['files', 'Files'],
          ['events', 'Events'],
          ...(job.federation ? ([['rounds', 'Rounds']] as const) : []),
          ['settings', 'Settings'],
        ]}
        current={tab}
      />
      <Tab tab={tab} job={job} />
    </>
  );
}

function Tab({ tab, job }: { readonly tab: string; readonly job: LiveJob }) {
  switch (tab) {
    case 'log':
      return <LogTab job={job} />;
    case 'metrics':
      return <MetricsTab job={job} />;
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
