import { Skeleton } from '../components/panel.tsx';

export function ExperimentPage() {
  return <Skeleton />;
}
