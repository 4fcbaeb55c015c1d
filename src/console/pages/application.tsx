import { Skeleton } from '../components/panel.tsx';

export function ApplicationPage() {
  return <Skeleton />;
}
