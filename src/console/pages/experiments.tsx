import { Skeleton } from '../components/panel.tsx';

export function ExperimentsPage() {
  return <Skeleton />;
}
