import { Skeleton } from '../components/panel.tsx';

export function ComparePage() {
  return <Skeleton />;
}
