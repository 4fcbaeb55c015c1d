import { Skeleton } from '../components/panel.tsx';

export function ApplicationsPage() {
  return <Skeleton />;
}
