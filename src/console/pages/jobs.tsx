import { Skeleton } from '../components/panel.tsx';

export function JobsPage() {
  return <Skeleton />;
}
