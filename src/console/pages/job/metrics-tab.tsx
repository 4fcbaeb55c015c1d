import { Skeleton } from '../../components/panel.tsx';
import type { LiveJob } from './job.tsx';

export function MetricsTab({ job }: { readonly job: LiveJob }) {
  return <Skeleton key={job.id} />;
}
