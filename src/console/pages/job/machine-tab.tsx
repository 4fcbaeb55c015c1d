import { Skeleton } from '../../components/panel.tsx';
import type { LiveJob } from './job.tsx';

export function MachineTab({ job }: { readonly job: LiveJob }) {
  return <Skeleton key={job.id} />;
}
