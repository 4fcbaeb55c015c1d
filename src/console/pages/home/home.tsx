/** What goes on now: the first page that anyone sees. */
import { useEffect } from 'preact/hooks';
import { Panel, Problem, Skeleton } from '../../components/panel.tsx';
import { mapOfCounts, StatusCounts } from '../../components/status-counts.tsx';
import { setTitle } from '../../components/title.ts';
import { CountsOfJobsDocument } from '../../generated.ts';
import { useNewest } from '../../streams/live.ts';
import { DevicesPanel } from './devices-panel.tsx';
import { FailuresPanel } from './failures-panel.tsx';
import { FirstRun } from './first-run.tsx';
import { JobsOverTime } from './jobs-over-time.tsx';
import { RunningPanel } from './running-panel.tsx';
import { WaitingPanel } from './waiting-panel.tsx';
import './home.css';

export function HomePage() {
  // Each change of any job's status changes them, so the other panels are read again by them.
  const { value, error } = useNewest(CountsOfJobsDocument, {});
  useEffect(() => setTitle('Home'), []);
  const counts = value.value;
  if (error.value) return <Problem error={error.value} />;
  if (!counts) return <Skeleton rows={12} />;
  if (counts.length === 0) return <FirstRun />;
  return (
    <>
      <h1 class="unseen">Home</h1>
      <div class="grid">
        <Panel title="Now" columns={8}>
          <StatusCounts counts={mapOfCounts(counts)} linkOf={(status) => `/jobs?status=${status}`} />
          <JobsOverTime version={counts} />
        </Panel>
        <DevicesPanel version={counts} />
        <RunningPanel />
        <WaitingPanel version={counts} />
        <FailuresPanel version={counts} />
      </div>
    </>
  );
}

export interface VersionedProps {
  /** Changes when any job has changed its status. */
  readonly version: unknown;
}
